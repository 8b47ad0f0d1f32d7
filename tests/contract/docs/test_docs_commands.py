# SPDX-License-Identifier: Apache-2.0
"""Every command of the guides is run and prints what they say, or its target is checked."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.docs_commands import CHECKED_ONLY, carry_out, lay
from tests.kits.docs_kit import (
    Block,
    all_blocks,
    blocks,
    guides,
)
from tests.kits.docs_site import GIVEN, DocsSite


@pytest.fixture
def site() -> Iterator[DocsSite]:
    # A short path: a Unix socket's has 100 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="docs-"))
    yield DocsSite(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("guide", guides())
async def test_the_commands_of_a_guide_do_what_it_says(guide: str, site: DocsSite) -> None:
    for block in blocks(guide):
        if block.language == "console":
            await carry_out(site, block)
        else:
            lay(site, block)


def test_what_is_only_checked_is_in_use() -> None:
    programs = {step.program for block in all_blocks("console") for step in block.steps}

    assert set(CHECKED_ONLY) <= programs


def test_what_a_block_needs_is_known_and_all_of_it_in_use() -> None:
    assert {given for block in all_blocks() for given in block.given} == GIVEN


async def test_a_wrong_transcript_is_noticed(site: DocsSite) -> None:
    good = "$ offrecord resolve SIP/410-12FA7B\n410\n"
    await carry_out(site, Block("-", 1, "console", good, ()))
    for text in (good.replace("\n410", "\n411"), good + "411\n", good.replace("\n410", "")):
        with pytest.raises(AssertionError):
            await carry_out(site, Block("-", 1, "console", text, ()))
    with pytest.raises(AssertionError):
        await carry_out(site, Block("-", 1, "console", "$ make tea\n", ()))
    with pytest.raises(AssertionError):
        await carry_out(site, Block("-", 1, "console", "$ offrecord resolve x\n-\n", ()))


async def test_the_first_site_ends_as_a_configuration_with_its_secrets(site: DocsSite) -> None:
    for block in blocks("README.md"):
        if block.language == "console":
            await carry_out(site, block)
        else:
            lay(site, block)
    secret = site.path("/etc/offrecord/credentials/ami.secret")
    account = site.path("/etc/asterisk/offrecord-secret.conf")

    assert account.read_text() == f"secret = {secret.read_text()}"
    assert len(secret.read_text().strip()) == 48
    assert (secret.stat().st_mode & 0o777, account.stat().st_mode & 0o777) == (0o600, 0o640)
    key = site.path("/etc/offrecord/credentials/noojee.key")
    assert key.stat().st_mode & 0o077 == 0
    handed_over = set(re.findall(r"^LoadCredential=(\S+?):(\S+)$",
                                 site.path("/etc/systemd/system/offrecord.service").read_text(),
                                 re.MULTILINE))  # fmt: skip
    assert handed_over == {
        (path.name, f"/etc/offrecord/credentials/{path.name}") for path in (secret, key)
    }
    named = re.findall(r"\$CREDENTIALS_DIRECTORY/([\w.]+)", site.config.read_text())
    assert set(named) == {name for name, _ in handed_over}
