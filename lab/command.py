# SPDX-License-Identifier: Apache-2.0
"""`make demo`, which is `python -m lab`: one press, proven, on a real or on a captured call."""

import sys

import click

from offrecord.base.errors import Exit
from offrecord.cli import main as command_line
from offrecord.cli.options import json_option, print_json


@click.command()
@click.option("--pbx", type=click.Choice(["22", "16"]), default="22", show_default=True,
              help="Asterisk 22 with PJSIP, or 16 with chan_sip.")  # fmt: skip
@click.option("--captured", is_flag=True, help="Use the captured call, even as root on Debian.")
@json_option
def demo(pbx: str, captured: bool, as_json: bool) -> int:
    """Show one press being proven: two phones, two recordings, *1, and what every side saw.

    Needs root on Debian for a real Asterisk; elsewhere it replays a captured call. Leaves with 0
    when every proof holds.
    """
    from lab.demo import on_captured_call, on_real_pbx
    from lab.pbx.chroot import LabUnavailable

    def say(text: str) -> None:
        click.echo(f"demo: {text}", err=as_json)

    if captured:
        report = on_captured_call(pbx, say)
    else:
        try:
            report = on_real_pbx(pbx, say)
        except LabUnavailable as problem:
            say(f"no real Asterisk here: {problem.why} ({problem.fix})")
            say("so what follows is a captured call, replayed by an embedded PBX")
            report = on_captured_call(pbx, say)
    if as_json:
        print_json(
            {
                "pbx": report.pbx,
                "moments": [
                    {"ms": round((at - report.zero) * 1000, 1), "what": what}
                    for at, what in sorted(report.moments)
                ],
                "proofs": [
                    {"what": p.what, "holds": p.holds, "seen": p.seen} for p in report.proofs
                ],
            }
        )
    else:
        click.echo()
        for line in report.lines():
            click.echo(line)
    return Exit.OK if report.holds else Exit.FAILED


def main() -> None:
    """Show the demo and leave with its exit code; an error is one line on stderr."""
    sys.exit(command_line.run(demo, None, "python -m lab"))
