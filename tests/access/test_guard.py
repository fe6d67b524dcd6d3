from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from mouthpiece.errors import BadInput, Busy, Forbidden, MouthpieceError, Unauthenticated
from mouthpiece.keys import hash_token, new_token
from mouthpiece.v1 import gateway_pb2
from services.gateway.access import Guard, Scope, current_caller
from services.gateway.access.callers import ANYBODY, RATED, SCOPES, set_caller

SECURITY = Path(__file__).parents[2] / "docs/security.md"
METHODS = [method.name for method in gateway_pb2.DESCRIPTOR.services_by_name["VideoService"].methods]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(autouse=True)
def nobody_calls_afterwards() -> Iterator[None]:
    yield
    set_caller(ANYBODY)


class Access:
    """An access file under construction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text('[tenants.news]\nrate = "2/minute"\n[tenants.sport]\n')

    def add_key(self, name: str, tenant: str, *scopes: str, expires: datetime | None = None) -> str:
        token = new_token(name)
        until = f"expires = {expires.isoformat()}\n" if expires else ""
        with self.path.open("a") as file:
            file.write(
                f'[[keys]]\nname = "{name}"\ntenant = "{tenant}"\n{until}'
                f'sha256 = "{hash_token(token)}"\nscopes = {json.dumps(scopes)}\n'
            )
        return token

    def add_issuer(self, jwks: Path) -> None:
        with self.path.open("a") as file:
            file.write(f'[jwt]\njwks = "{jwks}"\nissuer = "https://id.example"\naudience = "mouthpiece"\n')

    def guard(self, clock: Callable[[], float] = time.time) -> Guard:
        guard = Guard(self.path, clock)
        guard.load()
        return guard


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path / "access.toml")


def test_every_method_takes_a_scope() -> None:
    assert sorted(SCOPES) == sorted(METHODS)
    assert set(METHODS) >= RATED


def test_without_a_file_everybody_may_do_everything() -> None:
    guard = Guard(None)
    guard.load()
    for method in METHODS:
        guard.admit(method, {})
    assert current_caller().scopes == set(Scope)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_opens_what_its_scope_allows_and_nothing_else(
    access: Access, method: str, scope: Scope
) -> None:
    token = access.add_key("one", "sport", scope)
    guard = access.guard()
    if SCOPES[method] is scope:
        guard.admit(method, bearer(token))
        guard.admit(method, {"x-api-key": token})
        assert current_caller().tenant == "sport"
    else:
        with pytest.raises(Forbidden, match=f"lacks the scope {SCOPES[method].value}, which {method} takes"):
            guard.admit(method, bearer(token))


def test_an_unknown_method_is_for_nobody(access: Access) -> None:
    token = access.add_key("all", "sport", *Scope)
    with pytest.raises(Forbidden):
        access.guard().admit("FormatDisk", bearer(token))


@pytest.mark.parametrize("token", ["", "x", "mp_", "mp_one_", "mp_two_abc", "mp_one_guess", "a.b.c", "é"])
def test_other_tokens_open_nothing(access: Access, token: str) -> None:
    access.add_key("one", "sport", *Scope)
    guard = access.guard()
    for headers in (bearer(token), {"x-api-key": token}, {"authorization": f"Basic {token}"}, {}):
        with pytest.raises(Unauthenticated):
            guard.admit("GetJob", headers)


def test_an_expired_key_opens_nothing(access: Access) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    token = access.add_key("one", "sport", Scope.READ, expires=end)
    access.guard(lambda: (end - timedelta(seconds=1)).timestamp()).admit("GetJob", bearer(token))
    with pytest.raises(Unauthenticated):
        access.guard(end.timestamp).admit("GetJob", bearer(token))


def test_a_tenants_rate_is_kept_for_what_costs_and_apart_from_others(access: Access) -> None:
    news, sport = (access.add_key(name, name, *Scope) for name in ("news", "sport"))
    guard = access.guard()
    for _ in range(2):
        guard.admit("SubmitJob", bearer(news))
    with pytest.raises(Busy, match="rate") as refused:
        guard.admit("UploadAsset", bearer(news))
    assert 1 <= refused.value.retry_after <= 60
    guard.admit("GetJob", bearer(news))
    for _ in range(5):
        guard.admit("SubmitJob", bearer(sport))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tenants = 3", "tenants"),
        ("[tenants.a]\nwieght = 2", "wieght"),
        ("[tenants.a]\nweight = 0", "weight"),
        ('[tenants.a]\nrate = "often"', "rate"),
        ('[tenants.a]\n[[keys]]\nname = "k"\ntenant = "b"\nsha256 = "' + "0" * 64 + '"', "no tenant 'b'"),
        ('[tenants.a]\n[[keys]]\nname = "k"\ntenant = "a"\nsha256 = "secret"', "sha256"),
        ('[tenants.a]\n[[keys]]\nname = "A_b"\ntenant = "a"\nsha256 = "' + "0" * 64 + '"', "name"),
        ("[tenants.a]\n[jwt]\nissuer = 'x'", "jwks"),
        ("[tenants", "cannot read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_what_is_wrong(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "access.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=wrong):
        Guard(path).load()


class Issuer:
    """Signs tokens."""

    def __init__(self, folder: Path) -> None:
        self.key = ECKey.generate_key("P-256", auto_kid=True)
        self.file = folder / "jwks.json"
        self.file.write_text(json.dumps(KeySet([self.key]).as_dict(private=False)))

    def token(self, **claims: object) -> str:
        return self.sign(self.key, **claims)

    def sign(self, key: ECKey, /, **claims: object) -> str:
        usual = {
            "iss": "https://id.example",
            "aud": "mouthpiece",
            "exp": int(time.time()) + 600,
            "tenant": "sport",
            "scope": "read openid",
            "sub": "anna",
        }
        found = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": key.kid}, found, key)


@pytest.fixture
def issuer(tmp_path: Path, access: Access) -> Issuer:
    issuer = Issuer(tmp_path)
    access.add_issuer(issuer.file)
    return issuer


def test_an_issuers_token_opens_what_its_scopes_allow(access: Access, issuer: Issuer) -> None:
    guard = access.guard()
    guard.admit("GetJob", bearer(issuer.token()))
    assert current_caller().tenant == "sport"
    assert current_caller().name == "anna"
    with pytest.raises(Forbidden):
        guard.admit("SubmitJob", bearer(issuer.token()))
    guard.admit("SubmitJob", bearer(issuer.token(scope=["write"])))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"tenant": None},
        {"tenant": "unheard-of"},
        {"tenant": 3},
        {"iss": None},
    ],
    ids=str,
)
def test_a_token_with_other_claims_opens_nothing(
    access: Access, issuer: Issuer, claims: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated):
        access.guard().admit("GetJob", bearer(issuer.token(**claims)))


def test_a_token_that_another_key_signed_opens_nothing(access: Access, issuer: Issuer) -> None:
    forged = issuer.sign(ECKey.generate_key("P-256", {"kid": issuer.key.kid or ""}))
    with pytest.raises(Unauthenticated):
        access.guard().admit("GetJob", bearer(forged))


def test_a_token_stops_working_when_it_expires_though_it_was_good_before(
    access: Access, issuer: Issuer
) -> None:
    now = [time.time()]
    guard = access.guard(lambda: now[0])
    token = issuer.token(exp=int(now[0]) + 60)
    guard.admit("GetJob", bearer(token))
    now[0] += 120
    with pytest.raises(Unauthenticated):
        guard.admit("GetJob", bearer(token))


def test_an_issuer_without_keys_is_found_at_the_start(access: Access, tmp_path: Path) -> None:
    access.add_issuer(tmp_path / "nothing.json")
    with pytest.raises(MouthpieceError, match="key set"):
        access.guard()


@pytest.mark.parametrize("content", ["[]", '{"keys": null}', '{"keys": [{"kty": []}]}'])
def test_what_is_no_key_set_is_told_from_one(access: Access, tmp_path: Path, content: str) -> None:
    (tmp_path / "jwks.json").write_text(content)
    access.add_issuer(tmp_path / "jwks.json")
    with pytest.raises(MouthpieceError, match="key set"):
        access.guard()


async def test_a_file_that_goes_while_it_is_looked_at_is_looked_for_again(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    def there(_path: Path) -> bool:
        return True

    guard = access.guard()
    monkeypatch.setattr("services.gateway.access.guard.LOOK_EVERY", 0.0)
    monkeypatch.setattr(Path, "exists", there)
    access.path.unlink()
    looking = asyncio.create_task(guard.keep_fresh())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not looking.done()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


def test_a_key_that_is_taken_out_stops_working_after_a_reload(access: Access) -> None:
    before = access.path.read_text()
    token = access.add_key("one", "sport", Scope.READ)
    guard = access.guard()
    guard.admit("GetJob", bearer(token))
    access.path.write_text(before)
    guard.load()
    with pytest.raises(Unauthenticated):
        guard.admit("GetJob", bearer(token))


def test_the_table_of_scopes_is_what_is_asked_for() -> None:
    rows = re.findall(r"^\| `(read|write|admin)` \| (.+) \|$", SECURITY.read_text(), re.MULTILINE)
    told = {method: Scope(scope) for scope, methods in rows for method in methods.split(", ")}
    assert told == SCOPES
