# SPDX-License-Identifier: Apache-2.0
"""The signature, against vectors computed apart from this code."""

import hashlib
import hmac

import pytest

from noojee import ApiKey, Signed, sign

KEY = "f863246a-973e-11e6-8784-08002718f5b5"
STAMP = "1392356108888"


@pytest.mark.parametrize(
    ("key", "stamp", "digest"),
    [
        (KEY, "1264853382", "4692953dcc5e0ea4e730732e5232bc8f1201772741a94cf5bd872bbc555863ef"),
        (KEY, STAMP, "bc71b78c3e1914667fbaf65cabb9f2090c7f2231eb6df90562ada7678065dc76"),
        (KEY, "1392356108889", "82963db491fa6d989ce9ba61cff31cdb89d2eafd80e2b5608b6db3ab6d4da783"),
        (KEY, "1412212472393", "a59e6f59e5913a93c251ae6cc8413523eba88f04a6ef49a84ad5fe76decdbc43"),
        (
            "00000000-0000-0000-0000-000000000000",
            STAMP,
            "7d63aa93b1e28fec1c56453dd83e62eb8b0d62853f7d38bc90f9e58b3ef48b9c",
        ),
        ("k", "0", "741d7d6f653e4d092980f84b4bcec44f36584ab6ea59cd409833a42c553a6ed5"),
    ],
)
def test_the_hash_is_sha256_of_key_colon_stamp(key: str, stamp: str, digest: str) -> None:
    assert sign(key, stamp) == digest


def test_no_known_mistake_produces_the_same_hash() -> None:
    mistakes = {
        "newline kept": ("e42510d08a8edf2ab74d85d142ac509df0e0a0ce0cf3438ebbc44b6f32876fea",
                         hashlib.sha256(f"{KEY}:{STAMP}\n".encode()).hexdigest()),
        "through float": ("3033f99844b974e0c28bbd950b1cc5a4cd49cc380d4b15d16adfe9a4e4aa557a",
                          hashlib.sha256(f"{KEY}:{float(STAMP)}".encode()).hexdigest()),
        "colon missing": ("c6e55f0a62f75f1a46cc4e94f9374972fe1084f7f1218ab8080654763196d24d",
                          hashlib.sha256(f"{KEY}{STAMP}".encode()).hexdigest()),
        "stamp first": ("687a903a1ec5580ca57a5a4078c4b3b912cc2db320accaa50a251f1f089daa23",
                        hashlib.sha256(f"{STAMP}:{KEY}".encode()).hexdigest()),
        "hmac": ("750e94e852ad4408a4a66c550beda3a5871a36332f245fa790d7b9426ad63ec0",
                 hmac.new(KEY.encode(), STAMP.encode(), "sha256").hexdigest()),
        "key upper-cased": ("c3be3da61cdcbc3b85ed6acaa85342b47ce002548d89ee5fa9f8d284c51b764c",
                            hashlib.sha256(f"{KEY.upper()}:{STAMP}".encode()).hexdigest()),
    }  # fmt: skip
    for mistake, (vector, made) in mistakes.items():
        assert made == vector, mistake
        assert sign(KEY, STAMP) != vector, mistake


@pytest.mark.parametrize(
    "stamp", ["", f"{STAMP}\n", f" {STAMP}", f"{STAMP}.0", "-1", "١٣٩٢", "1" * 21]
)
def test_anything_but_the_digits_of_time_is_refused(stamp: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        sign(KEY, stamp)


def test_a_timestamp_that_went_through_a_number_is_refused() -> None:
    for number in (int(STAMP), float(STAMP)):
        with pytest.raises(TypeError):
            sign(KEY, number)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [Signed, ApiKey])
@pytest.mark.parametrize("key", ["", " ", f"{KEY}\n", f" {KEY}", f"{KEY[:5]}\x00"])
def test_a_key_read_with_its_line_end_is_refused(scheme: type[Signed | ApiKey], key: str) -> None:
    with pytest.raises(ValueError, match="API key"):
        scheme(key)


@pytest.mark.parametrize("scheme", [Signed, ApiKey])
def test_the_repr_of_credentials_holds_no_key(scheme: type[Signed | ApiKey]) -> None:
    assert KEY not in repr(scheme(KEY))
