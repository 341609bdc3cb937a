"""What the journal shows about breaks: evidence for root causes."""
