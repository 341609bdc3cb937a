"""What somebody must look at: quarantine and exceptions, page by page."""
