"""Items and lines as columns, and what a line's words say: whose reference it carries, who is on the other side, whether it takes back.

Banks shorten, split and decorate what they were given. What is read here is only what cannot be misread: a whole reference of ours
(`KSH`, then 8, 4 and 4 digits, with at most three other characters between), its beginning, and a party's name by its first letters.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from settlement.items import REFERENCE_PREFIX

ITEMS: Final = pl.Schema(
    {
        "reference": pl.String, "bank": pl.Int32, "amount": pl.Int64, "window": pl.Int32, "due": pl.Int32, "name": pl.String,
    }
)  # fmt: skip
"""Expected items: `window` and `due` are days, `name` the party's, `amount` sen, negative where we pay."""
LINES: Final = pl.Schema(
    {
        "sha256": pl.String, "statement": pl.Int32, "number": pl.Int32, "bank": pl.Int32, "day": pl.Int32, "amount": pl.Int64,
        "reference": pl.String, "end_to_end": pl.String, "text": pl.String, "bank_reference": pl.String, "repeated": pl.Boolean,
    }
)  # fmt: skip
"""Statement lines: `day` is the value date, `amount` sen, positive where the account grows."""

NAME_LETTERS_MAX: Final = 10
"""So many letters and digits of a name tell the party: banks cut names at 16 characters or more, legal form and spaces among them."""
NAME_LETTERS_MIN: Final = 5
PART_DIGITS_MIN: Final = 8
REFERENCE_DIGITS: Final = 16
BATCH_DIGITS: Final = 12
"""Window and bank: what all references of one payment file begin with."""
_PREFIX: Final = REFERENCE_PREFIX.rstrip("-")
_GAP: Final = r"[^A-Z0-9]{0,3}"
_WHOLE: Final = rf"(?:{_PREFIX}{_GAP}\d{{8}}{_GAP}\d{{4}}{_GAP}\d{{4}}|\b\d{{8}}-\d{{4}}-\d{{4}})(?:\D|$)"
_RUN: Final = rf"{_PREFIX}{_GAP}((?:[-/.]?\d)+)"
"""All digits after the prefix: too few are no part, and too many another number."""
_TAKEN_BACK: Final = r"\b(?:REV|REVERSAL|REVERSED|RETUR|RETURN|RETURNED|KOREKSI|BATAL|PEMBATALAN|DIBATALKAN|PENGEMBALIAN|STORNO)\b"
_LEGAL_FORMS: Final = r"\b(?:PT|CV|UD|PD|TBK|PERSERO)\b"


def item_columns(items: pl.DataFrame) -> pl.DataFrame:
    """`i` (its row), bank, amount, window, due, `ref` (letters and digits only), and `party_key` ("" for a name too short to tell)."""
    told = (
        "told" if "told" in items.columns else "reference"
    )  # between banks only the payer's reference travels
    squeezed = _squeezed(pl.col(told)).alias("ref")
    plain = _without_form("name")
    numbered = items.with_row_index("i").with_columns(
        squeezed,
        _letters(_squeezed(plain)).alias("party_key"),
        _bones(plain).str.slice(0, NAME_LETTERS_MAX).alias("party_bones"),
    )
    return numbered.drop("told", strict=False)


def line_columns(lines: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """`l` (its row), bank, amount, day, `ref`, `refs` (where it names several), `part` (digits), `bank_ref`, `party_key`, `marked`.

    Lines that the bank told twice are left out. `items` are columns of `item_columns`.
    """
    fresh = lines.with_row_index("l").filter(~pl.col("repeated"))
    given = pl.when(pl.col("end_to_end") != "").then("end_to_end").otherwise("reference")
    read = fresh.with_columns(
        _squeezed(given).alias("given"),
        pl.concat_str("end_to_end", "reference", "text", separator=" ").str.to_uppercase().alias("said"),
        pl.col("bank_reference").alias("bank_ref"),
    )
    known = items.select(pl.col("ref").alias("given")).unique()
    exact = read.join(known, on="given", how="semi").with_columns(
        pl.col("given").alias("ref"),
        pl.lit(None, pl.List(pl.String)).alias("refs"),
        pl.lit("").alias("part"),
    )
    others = _read_references(read.join(known, on="given", how="anti"))
    whole = pl.concat([exact, others.select(exact.columns)]).sort("l")
    kept = ("l", "bank", "amount", "day", "ref", "refs", "part", "bank_ref", "marked", "party_key")
    return _with_parties(whole, items).with_columns(_marked()).select(kept)


def _squeezed(text: pl.Expr) -> pl.Expr:
    """Letters and digits only, large letters."""
    return text.str.to_uppercase().str.replace_all(r"[^A-Z0-9]", "")


def _without_form(name: str) -> pl.Expr:
    return pl.col(name).str.to_uppercase().str.replace_all(_LEGAL_FORMS, "")


def _letters(text: pl.Expr) -> pl.Expr:
    """The beginning of squeezed letters; "" where too little is left to tell a party by."""
    start = text.str.slice(0, NAME_LETTERS_MAX)
    return pl.when(start.str.len_chars() >= NAME_LETTERS_MIN).then(start).otherwise(pl.lit(""))


def _read_references(lines: pl.DataFrame) -> pl.DataFrame:
    found = pl.col("said").str.extract_all(_WHOLE)
    digits = pl.element().str.replace_all(r"\D", "")
    named = lines.with_columns(
        found.list.eval(pl.lit(_PREFIX) + digits).list.unique(maintain_order=True).alias("refs")
    )
    count = pl.col("refs").list.len()
    run = pl.col("said").str.extract(_RUN).str.replace_all(r"\D", "").fill_null("")
    is_part = run.str.len_chars().is_between(PART_DIGITS_MIN, REFERENCE_DIGITS - 1)
    return named.with_columns(
        pl.when(count == 1).then(pl.col("refs").list.first()).otherwise(pl.lit("")).alias("ref"),
        pl.when(count > 1).then("refs").alias("refs"),
        pl.when((count == 0) & is_part).then(run).otherwise(pl.lit("")).alias("part"),
    )


def _marked() -> pl.Expr:
    return pl.col("said").str.contains(_TAKEN_BACK).alias("marked")


def _with_parties(lines: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The party whose name stands in the text; "" where none does, or more than one.

    Where no name stands there in full, one that somebody shortened by leaving vowels out does as well (TRNS SMRNG).
    """
    names = items.select("party_key", "party_bones").unique().sort("party_key", "party_bones")
    whole = [name for name in names["party_key"].to_list() if name]
    whole_names = _names_in(_squeezed(pl.col("said")), whole)
    said = lines.with_columns(_only(whole_names).alias("party_key"), whole_names.list.len().alias("named"))
    told = names.filter(pl.col("party_bones").str.len_chars() >= NAME_LETTERS_MIN)
    by_bones = (
        told.group_by("party_bones")
        .agg(pl.col("party_key").unique())
        .filter(pl.col("party_key").list.len() == 1)
    )
    bones = by_bones.select("party_bones", pl.col("party_key").list.first().alias("shortened"))
    unknown = said.filter(pl.col("named") == 0).select(
        "l", _only(_names_in(_bones(pl.col("said")), bones["party_bones"].to_list())).alias("party_bones")
    )
    found = unknown.join(bones, on="party_bones").select("l", "shortened")
    both = said.join(found, on="l", how="left", maintain_order="left")
    return both.with_columns(
        pl.when(pl.col("party_key") == "")
        .then(pl.col("shortened").fill_null(""))
        .otherwise("party_key")
        .alias("party_key")
    )


def _bones(text: pl.Expr) -> pl.Expr:
    """Letters and digits without the vowels inside words."""
    return _squeezed(text.str.to_uppercase().str.replace_all(r"\B[AEIOU]", ""))


def _names_in(text: pl.Expr, names: list[str]) -> pl.Expr:
    """Which of some names stand in a text, the longest first where they overlap."""
    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    if not longest_first:
        return pl.lit([], dtype=pl.List(pl.String))
    return text.str.extract_many(longest_first, leftmost=True).list.unique()


def _only(found: pl.Expr) -> pl.Expr:
    """The only one of some names; "" where there is none, or several."""
    return pl.when(found.list.len() == 1).then(found.list.first()).otherwise(pl.lit(""))
