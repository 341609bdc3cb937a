"""A statement of many lines in a process of its own: reading its bytes alone, then what it says; time and memory of each, as JSON.

Called as `python -m tests.benchmarks.statement_load FORMAT LINES FOLDER [SCHEMAS]`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from settlement.statements.reading import Reader
from settlement.statements.schemas import Schemas

OPENING = 10**13
KILOBYTES = 1024


def write_mt940(path: Path, lines: int) -> None:
    """One message, its lines of one rupiah and more; every line has a reference of its own."""
    total = OPENING
    with path.open("w", encoding="ascii", newline="") as out:
        out.write(f":20:BIG\r\n:25:0099001122\r\n:28C:00001/001\r\n:60F:C261118IDR{OPENING // 100},00\r\n")
        for number in range(1, lines + 1):
            total += number * 100
            reference = f"KSH-20261118-0009-{number % 10_000:04d}"
            out.write(
                f":61:2611181118C{number},00NTRFNONREF//B{number:09d}\r\n:86:/EREF/{reference}/REMI/payout\r\n"
            )
        out.write(f":62F:C261118IDR{total // 100},00\r\n-\r\n")


def write_camt053(path: Path, lines: int) -> None:
    """The same as camt.053.001.08, without blanks between elements."""
    balance = (
        '<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="IDR">{amount}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-11-18</Dt></Dt></Bal>"
    )
    total = OPENING // 100 + lines * (lines + 1) // 2
    with path.open("w", encoding="ascii") as out:
        out.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
            "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-18T23:55:00+07:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id>"
            "<CreDtTm>2026-11-18T23:55:00+07:00</CreDtTm><Acct><Id><Othr><Id>0099001122</Id></Othr></Id></Acct>"
        )
        out.write(
            balance.format(code="OPBD", amount=OPENING // 100) + balance.format(code="CLBD", amount=total)
        )
        for number in range(1, lines + 1):
            out.write(
                f'<Ntry><Amt Ccy="IDR">{number}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
                f"<BookgDt><Dt>2026-11-18</Dt></BookgDt><AcctSvcrRef>B{number:09d}</AcctSvcrRef>"
                "<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>"
                f"<EndToEndId>KSH-20261118-0009-{number % 10_000:04d}</EndToEndId></Refs>"
                "<RmtInf><Ustrd>payout</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
            )
        out.write("</Stmt></BkToCstmrStmt></Document>")


def peak() -> int:
    """The most memory that this program had, in bytes; what its parent had before does not count (proc(5), VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * KILOBYTES  # type: ignore[index]  # Linux has it


def main() -> None:
    """Write the file, read it twice, print the figures."""
    form, lines, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    schemas = Schemas(Path(sys.argv[4]) if len(sys.argv) > 4 else None)
    path = folder / f"statement.{form}"
    {"mt940": write_mt940, "camt053": write_camt053}[form](path, lines)
    start = peak()
    began = time.perf_counter()
    content = path.read_bytes()
    sum(content[::4096])  # every page is there
    bytes_seconds, bytes_peak = time.perf_counter() - began, peak() - start
    began, cpu = time.perf_counter(), time.process_time()
    (statement,) = Reader(schemas).read(content).statements
    took, used = time.perf_counter() - began, time.process_time() - cpu
    assert len(statement.lines) == lines
    told = {
        "lines": lines, "file_bytes": len(content), "bytes_seconds": bytes_seconds, "bytes_memory": bytes_peak,
        "seconds": took, "cpu_seconds": used, "memory": peak() - start, "lines_a_second": lines / took,
        "lines_a_cpu_second": lines / used, "memory_a_line": (peak() - start - bytes_peak) / lines,
    }  # fmt: skip
    path.unlink()
    print(json.dumps(told))  # noqa: T201  to the process that asked


if __name__ == "__main__":
    main()
