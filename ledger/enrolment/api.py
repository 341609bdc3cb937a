"""Enrolment and renewal over HTTP: signed requests in, certificates out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ledger.errors import (
    BatchMalformed,
    BatchTooLarge,
    EnrolmentRefused,
    SignatureRefused,
    StorageError,
    TerminalUnknown,
)
from ledger.http.api import COSE_BODY, described, limited_body
from ledger.http.examples import shown
from ledger.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from ledger.enrolment.desk import EnrolmentDesk


class CertificateAnswer(BaseModel):
    """A terminal's certificate, the authority's own (both PEM), and the ledger's key in hexadecimal."""

    model_config = shown({"certificate": "-----BEGIN CERTIFICATE-----", "authority": "", "ledger_key": "8f"})

    certificate: str
    authority: str
    ledger_key: str


def router(desk: EnrolmentDesk) -> APIRouter:
    """The routes for terminals that come, and that stay."""
    routes = APIRouter(
        prefix="/v1/terminals", tags=["terminals"],
        responses=described(
            BatchMalformed, BatchTooLarge, MEDIA_TYPE, EnrolmentRefused, SignatureRefused, TerminalUnknown, StorageError
        ),
    )  # fmt: skip

    @routes.post("/enrolment", openapi_extra=COSE_BODY)
    async def post_enrolment(request: Request) -> CertificateAnswer:
        """Take up an invitation: COSE_Sign1 over CBOR [code, PKCS#10 request] (see `keys.ticket`)."""
        done = await run_in_threadpool(desk.enrol, await limited_body(request))
        return CertificateAnswer(**done.as_json())

    @routes.post("/renewal", openapi_extra=COSE_BODY)
    async def post_renewal(request: Request) -> CertificateAnswer:
        """Renew before the certificate ends: COSE_Sign1 over CBOR [asked at, PKCS#10 request]."""
        done = await run_in_threadpool(desk.renew, await limited_body(request))
        return CertificateAnswer(**done.as_json())

    return routes
