# SPDX-License-Identifier: Apache-2.0
"""`offrecord init`: from a tree of files and answers to a plan, as data."""

import tomllib
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from bridges.model import Verb
from offrecord.asterisk_files import conf_parser, feature_codes
from offrecord.base.secrets import Secret
from offrecord.setup.answers import Answers, Found, Layout, NoojeeAnswers, Secrets
from offrecord.setup.changes import Change, Owner, Plan, diff, fingerprint, masked
from offrecord.setup.plan import kept_secret, plan, removal, usual
from tests.kits.init_kit import FREEPBX, PLAIN

ETC = PurePosixPath("/etc/asterisk")
CONFIG = PurePosixPath("/etc/offrecord/offrecord.toml")
SECRETS = Secrets(Secret("0123456789abcdef"))
NOOJEE = NoojeeAnswers("https://noojee.example", "offrecord")


def found(tree: dict[str, str], layout: Layout = Layout.PLAIN, **more: Any) -> Found:
    return Found(tree=tree, layout=layout, **more)


def made(at: Found, **answers: Any) -> Plan:
    return plan(at, replace(usual(at), **answers), SECRETS)


def after(at: Found, done: Plan) -> Found:
    """Return what is there once a plan was carried out."""
    tree, files = dict(at.tree), dict(at.files)
    for change in done.changes:
        here, key = (tree, change.path.name) if change.path.parent == ETC else (files, change.path)
        if change.after is None:
            del here[key]  # type: ignore[arg-type]
        else:
            here[key] = change.after  # type: ignore[index]
    import json

    listed = files.get(at.places.manifest)
    return replace(at, tree=tree, files=files,
                   manifest=json.loads(listed)["files"] if listed else {})  # fmt: skip


def texts(done: Plan) -> dict[str, str | None]:
    return {change.path.name: change.after for change in done.changes}


# plain Asterisk


SPYING = "\n[spies]\nexten => _5XX,1,ChanSpy(PJSIP/4${EXTEN:1},q)\n"


def test_who_has_supervisors_that_listen_is_told_how_to_name_them() -> None:
    tree = {**PLAIN, "extensions.conf": PLAIN["extensions.conf"] + SPYING}
    [note] = [one for one in made(found(tree)).notes if "ChanSpy" in one]
    assert '[taps] contexts = ["spies"]' in note
    there = {CONFIG: '[taps]\nextensions = ["490"]\n'}
    assert not [one for one in made(found(tree, files=there)).notes if "ChanSpy" in one]


def test_the_context_of_our_own_tones_is_no_supervisor() -> None:
    ours = SPYING.replace("[spies]", "[offrecord-tell]")
    tree = {**PLAIN, "extensions.conf": PLAIN["extensions.conf"] + ours}
    assert not [one for one in made(found(tree)).notes if "ChanSpy" in one]


def test_a_plain_site_gets_account_codes_dialplan_and_configuration() -> None:
    done = made(found(PLAIN))

    assert not done.problems
    assert [change.path.name for change in done.changes] == [
        "ami.secret", "offrecord.toml", "offrecord.service", "offrecord-secret.conf",
        "manager-offrecord.conf", "manager.conf", "features-offrecord.conf", "features.conf",
        "extensions-offrecord.conf", "extensions.conf", "init.json",
    ]  # fmt: skip
    assert done.reload == ("manager reload", "dialplan reload", "module reload features")
    config = tomllib.loads(texts(done)["offrecord.toml"] or "")
    assert config == {
        "ami": {"username": "offrecord", "secret": {"file": "$CREDENTIALS_DIRECTORY/ami.secret"}},
        "recorders": {"local": {"kind": "asterisk"}},
    }


def test_secrets_are_for_those_who_need_them() -> None:
    owners = {change.path.name: change.owner for change in made(found(PLAIN)).changes}

    assert owners["ami.secret"] is Owner.SECRET
    assert owners["offrecord-secret.conf"] is Owner.ASTERISK_SECRET
    assert owners["manager-offrecord.conf"] is Owner.ASTERISK


def test_the_account_has_the_rights_of_the_shipped_snippet() -> None:
    lines = conf_parser.lines(after(at := found(PLAIN), made(at)).tree, "manager.conf")
    account = {line.key: line.value for line in lines if line.section == "offrecord"}

    assert account["secret"] == SECRETS.ami.reveal()
    assert account["read"] == "call,dtmf,user"
    assert account["write"] == "call,reporting"


def test_a_second_run_has_nothing_to_do() -> None:
    for layout, tree in ((Layout.PLAIN, PLAIN), (Layout.FREEPBX, FREEPBX)):
        first = found(tree, layout)
        there = after(first, made(first, noojee=NOOJEE, trunks=("my-trunk",)))

        assert made(there).changes == ()
        assert made(there).notes == ()


def test_a_changed_answer_is_just_that_change() -> None:
    there = after(at := found(PLAIN), made(at))
    done = made(there, trunks=("my-trunk",))

    assert [change.path.name for change in done.changes] == ["offrecord.toml", "init.json"]
    assert [row for row in diff(done.changes[0]) if row[0] in "+-" and row[:3] not in {"+++", "---"}
            ] == ["+", "+[extensions]", '+trunks = ["my-trunk"]']  # fmt: skip


def test_removal_leaves_what_was_there_before() -> None:
    for layout, tree in ((Layout.PLAIN, PLAIN), (Layout.FREEPBX, FREEPBX)):
        at = found(tree, layout)
        there = after(at, made(at, noojee=NOOJEE))
        gone = after(there, removal(there))

        assert gone.tree == tree
        assert gone.files == {}


def test_removal_leaves_what_somebody_has_changed_since() -> None:
    there = after(at := found(PLAIN), made(at))
    own = dict(there.tree) | {"features-offrecord.conf": "; mine now\n"}
    done = removal(replace(there, tree=own))

    assert "features-offrecord.conf" not in texts(done)
    assert any("features-offrecord.conf was changed since" in note for note in done.notes)


def test_a_file_of_ours_that_was_changed_by_hand_stays_unless_told() -> None:
    there = after(at := found(PLAIN), made(at))
    account = there.tree["manager-offrecord.conf"].replace("reporting", "reporting,system")
    own = replace(there, tree={**there.tree, "manager-offrecord.conf": account})

    assert made(own).changes == ()
    assert "changed by hand" in made(own).notes[0]
    assert "manager-offrecord.conf" in texts(made(own, overwrite=True))


def test_a_site_made_by_hand_as_the_readme_says_keeps_its_files() -> None:
    from offrecord.asterisk_files.shipped import snippet

    tree = {
        "manager.conf": '[general]\nenabled = yes\n#include "manager-offrecord.conf"\n',
        "manager-offrecord.conf": snippet("manager-offrecord.conf"),
        "offrecord-secret.conf": "secret = by-hand\n",
        "features.conf": snippet("features.conf"),
        "extensions.conf": '[general]\n#include "extensions-pjsip.conf"\n',
        "extensions-pjsip.conf": snippet("extensions-pjsip.conf"),
    }
    at = found(tree)
    done = plan(at, usual(at), Secrets(Secret(kept_secret(at) or "")))

    assert not done.problems
    assert not {"manager.conf", "features.conf", "offrecord-secret.conf"} & set(texts(done))
    assert texts(done)["ami.secret"] == "by-hand\n"


def test_ami_that_is_off_is_switched_on_in_its_first_general_section() -> None:
    tree = {**PLAIN, "manager.conf": "[general]\nenabled = no\n\n[admin]\nread = all\n"}
    there = after(at := found(tree), made(at))
    rows = there.tree["manager.conf"].splitlines()

    assert rows.index("enabled = yes") < rows.index("[admin]")
    assert "bindaddr = 127.0.0.1" in rows
    assert after(there, removal(there)).tree == tree


def test_the_port_of_ami_is_taken_over() -> None:
    tree = {**PLAIN, "manager.conf": "[general]\nenabled=yes\nport=5555\n"}

    assert "port = 5555" in (texts(made(found(tree)))["offrecord.toml"] or "")


def test_a_dialplan_of_ones_own_gets_the_address_alone() -> None:
    text = texts(made(found(PLAIN), phones=None))["extensions-offrecord.conf"] or ""

    assert "OFFRECORD_AGI=127.0.0.1:4573" in text
    assert "offrecord-phones" not in text


@pytest.mark.parametrize("technology", ["PJSIP", "SIP"])
def test_the_dialplan_is_the_shipped_one(technology: str) -> None:
    from offrecord.asterisk_files.shipped import snippet

    done = made(found(PLAIN), technology=technology, phones="_5XX", agi="127.0.0.1:4999")
    text = texts(done)["extensions-offrecord.conf"] or ""
    shipped = snippet(f"extensions-{technology.lower()}.conf")
    there = shipped.replace("_4XX", "_5XX").replace(":4573", ":4999")

    assert text.partition("[globals]")[2] == there.partition("[globals]")[2]


# codes that stand in each other's way


def test_the_codes_are_those_of_the_shipped_snippet() -> None:
    codes = feature_codes.shipped().codes

    assert usual(found(PLAIN)).codes == codes
    assert set(codes) >= {Verb.STOP, Verb.PAUSE, Verb.RESUME}


def test_defaults_that_nobody_wrote_down_move_away() -> None:
    done = made(found(PLAIN))
    text = texts(done)["features-offrecord.conf"] or ""

    assert "atxferabort = #9" in text
    assert "disconnect = #0" in text
    assert "blindxfer = ##" in text
    assert "parkcall" not in text  # it has no code by itself, and gets none
    assert "atxferabort moves from *1 to #9" in done.notes


def refused(tree: dict[str, str], layout: Layout = Layout.PLAIN, **answers: Any) -> list[str]:
    done = made(found(tree, layout), **answers)
    return [str(one) for one in done.problems]


def test_codes_that_the_site_wrote_are_not_moved_unasked() -> None:
    tree = {**PLAIN, "features.conf": "[general]\n[featuremap]\natxfer = *2\n"}
    problems = refused(tree)

    assert any("pause on *2: atxfer is *2 (features.conf:3); they are the same" in p
               for p in problems)  # fmt: skip
    assert all("--move-codes" in p and "--code stop=*91" in p for p in problems)
    assert refused(tree, move=True) == []
    assert refused(tree, codes={Verb.STOP: "*91", Verb.PAUSE: "*92"}) == []


def test_no_more_codes_move_than_have_to() -> None:
    codes = {Verb.STOP: "*91", Verb.PAUSE: "*92"}
    moved = [note for note in made(found(PLAIN), codes=codes).notes if " moves from " in note]

    assert moved == ["disconnect moves from * to #0", "blindxfer moves from # to ##"]


def test_codes_that_are_to_be_kept_are_kept() -> None:
    problems = refused(PLAIN, move=False)

    assert any("atxferabort is *1 (the default of Asterisk)" in one for one in problems)
    assert all("--move-codes" in one for one in problems)


def test_an_application_of_the_site_is_never_moved() -> None:
    tree = {**PLAIN, "features.conf": "[applicationmap]\nmonitor => *1,self/both,Macro,x\n"}

    assert any("monitor is *1" in one for one in refused(tree, move=True))
    assert refused(tree, codes={Verb.STOP: "*91"}) == []


@pytest.mark.parametrize(
    ("other", "ours", "why"),
    [
        ("*91", "*91", "they are the same"),
        ("*9", "*91", "*9 fires before *91 is dialled"),
        ("*912", "*91", "*91 fires before *912 is dialled"),
    ],
)
def test_codes_and_their_beginnings_clash(other: str, ours: str, why: str) -> None:
    [clash] = feature_codes.clashes(
        {Verb.STOP: ours}, [feature_codes.Code("featuremap", "x", other, "")]
    )

    assert str(clash).endswith(why)


@pytest.mark.parametrize(("version", "problems"), [((22, 10, 1), 1), ((20, 5), 0), ((), 0)])
def test_a_line_that_makes_newer_asterisks_read_no_code_is_refused(
    version: tuple[int, ...], problems: int
) -> None:
    tree = {**PLAIN, "features.conf": "[featuremap]\nautomon = *7\n"}
    done = made(found(tree, version=version))

    assert [one.message for one in done.problems if "features.conf:2 has automon" in str(one)] == [
        str(one).partition("; ")[0] for one in done.problems
    ]
    assert len(done.problems) == problems


def test_codes_written_by_hand_are_kept_or_named() -> None:
    line = "offrecord-stop => *1,self/both,AGI,agi://127.0.0.1/stop\n"
    tree = {**PLAIN, "features.conf": f"[applicationmap]\n{line}"}
    [problem] = refused(tree, codes={Verb.STOP: "*91"})

    assert "features.conf:2 has offrecord-stop on *1" in problem
    assert "--code stop=*1" in problem
    assert refused(tree, codes={Verb.STOP: "*1"}) == []


def test_includes_and_comments_are_read_as_asterisk_does() -> None:
    tree = {
        "features.conf": '[featuremap]\n#include "sub/*.conf"\n;--\natxfer = *7\n--;\n'
        "atxfer => *3 ; not *4\n[general](+)\natxferabort=*0\n",
        "sub/a.conf": "blindxfer = *6\n",
    }  # fmt: skip
    codes = {code.name: (code.code, code.place) for code in feature_codes.in_play(tree, str(ETC))}

    assert codes["atxfer"] == ("*3", "features.conf:6")
    assert codes["blindxfer"] == ("*6", "sub/a.conf:1")
    assert codes["atxferabort"] == ("*0", "features.conf:8")
    assert codes["disconnect"] == ("*", "")


# FreePBX and Issabel


def test_freepbx_gets_its_custom_files_alone() -> None:
    at = found(FREEPBX, Layout.FREEPBX)
    done = made(at)
    in_asterisk = {change.path.name for change in done.changes if change.path.parent == ETC}

    assert not done.problems
    assert in_asterisk == {
        "offrecord-secret.conf", "manager-offrecord.conf", "manager_custom.conf",
        "features_general_custom.conf", "features_applicationmap_custom.conf",
        "globals_custom.conf",
    }  # fmt: skip


def test_on_freepbx_the_codes_are_free_ones() -> None:
    assert usual(found(FREEPBX, Layout.FREEPBX)).codes[Verb.STOP] == "*91"
    problems = refused(FREEPBX, Layout.FREEPBX, codes={Verb.STOP: "*1"})

    assert any("apprecord is *1" in one for one in problems)
    assert all("--code stop=*91" in one and "--move-codes" not in one for one in problems)


def test_freepbx_keeps_its_own_dynamic_features() -> None:
    there = after(at := found(FREEPBX, Layout.FREEPBX), made(at))
    lines = conf_parser.lines(there.tree, "extensions.conf")
    values = [line.value for line in lines if line.key == "DYNAMIC_FEATURES"]

    assert values[0] == "apprecord"
    assert values[-1].startswith("${DYNAMIC_FEATURES}#offrecord-stop#")


def test_globals_that_come_too_early_are_refused() -> None:
    globals_ = "[globals]\n#include globals_custom.conf\nDYNAMIC_FEATURES = apprecord\n"
    tree = {**FREEPBX, "extensions_additional.conf": globals_}

    assert ["fwconsole reload" in one for one in refused(tree, Layout.FREEPBX)] == [True]


def test_a_custom_file_that_nothing_includes_is_refused() -> None:
    tree = {**FREEPBX, "manager.conf": "[general]\nenabled = yes\n"}
    [problem] = refused(tree, Layout.FREEPBX)

    assert "manager.conf does not include manager_custom.conf" in problem


# account, Noojee, unit


def test_another_account_of_that_name_is_refused() -> None:
    tree = {**PLAIN, "manager.conf": PLAIN["manager.conf"] + "[offrecord]\nread = all\n"}
    [problem] = refused(tree)

    assert "manager.conf:9 has an account [offrecord] already" in problem
    assert refused(tree, account="offrecord2") == []


def test_noojee_is_a_recorder_and_a_credential() -> None:
    at = found(PLAIN)
    key = Secret("f863246a-973e-11e6-8784-08002718f5b5")
    answers = replace(usual(at), noojee=replace(NOOJEE, auth="signed"))
    done = plan(at, answers, replace(SECRETS, noojee_key=key))
    config = tomllib.loads(texts(done)["offrecord.toml"] or "")
    assert config["recorders"]["noojee"] == {
        "kind": "noojee", "url": "https://noojee.example", "agent_login": "offrecord",
        "api_key": {"file": "$CREDENTIALS_DIRECTORY/noojee.key"}, "auth": "signed",
    }  # fmt: skip
    assert texts(done)["noojee.key"] == f"{key.reveal()}\n"
    assert "LoadCredential=noojee.key:" in (texts(done)["offrecord.service"] or "")
    assert "noojee" not in (texts(made(at))["offrecord.service"] or "").replace("Noojee", "")


def test_a_packaged_unit_gets_its_secrets_by_a_drop_in() -> None:
    from offrecord.asterisk_files.shipped import unit

    done = made(found(PLAIN, packaged_unit=unit()))

    assert "offrecord.service" not in texts(done)
    assert (texts(done)["init.conf"] or "").splitlines()[1:] == [
        "[Service]", "LoadCredential=",
        "LoadCredential=ami.secret:/etc/offrecord/credentials/ami.secret",
    ]  # fmt: skip


def test_the_daemon_is_in_the_group_of_the_recordings_where_it_exists() -> None:
    from offrecord.asterisk_files.shipped import unit

    line = "SupplementaryGroups=asterisk"
    own = texts(made(found(PLAIN, spool_group="asterisk")))["offrecord.service"] or ""
    assert own.splitlines()[own.splitlines().index("Group=offrecord") + 1] == line
    assert line not in (texts(made(found(PLAIN)))["offrecord.service"] or "").splitlines()
    packaged = made(found(PLAIN, packaged_unit=unit(), spool_group="asterisk"))
    assert (texts(packaged)["init.conf"] or "").splitlines()[-1] == line
    # the secrets need no drop-in here
    same = "[Service]\nLoadCredential=ami.secret:/etc/offrecord/credentials/ami.secret\n"
    assert "init.conf" not in texts(made(found(PLAIN, packaged_unit=same)))
    joins = texts(made(found(PLAIN, packaged_unit=same, spool_group="asterisk")))
    assert line in (joins["init.conf"] or "")


def test_a_unit_of_somebodys_own_keeps_all_but_its_secrets() -> None:
    unit = PurePosixPath("/etc/systemd/system/offrecord.service")
    text = "[Service]\nNice=-5\nLoadCredential=x:/y\n[Install]\n"
    done = made(found(PLAIN, files={unit: text}))

    assert (texts(done)["offrecord.service"] or "").splitlines() == [
        "[Service]", "Nice=-5",
        "LoadCredential=ami.secret:/etc/offrecord/credentials/ami.secret", "[Install]",
    ]  # fmt: skip


def test_without_systemd_the_secret_is_named_by_its_path() -> None:
    done = made(found(PLAIN, has_systemd=False))

    assert "offrecord.service" not in texts(done)
    assert '{ file = "/etc/offrecord/credentials/ami.secret" }' in (texts(done)["offrecord.toml"]
                                                                    or "")  # fmt: skip


# the configuration is edited key by key


def test_a_configuration_keeps_every_line_that_is_not_asked_about() -> None:
    old = '# mine\n[ami] # here\nusername = "old"\nport = 5039\n\n[press]\nbudget = 4\n'
    done = made(found(PLAIN, files={CONFIG: old}), account="offrecord")
    new = texts(done)["offrecord.toml"] or ""

    assert new.startswith('# mine\n[ami] # here\nusername = "offrecord"\nport = 5039\nsecret = {')
    assert "\n[press]\nbudget = 4\n" in new


@pytest.mark.parametrize(
    "old",
    [
        'ami = { username = "x" } # one line\n',
        '[ami]\nsecret = """\nx"""\nusername = "y"\n',
        'ami.username = "x"\nami.port = 5039\n',
        '["ami"]\n"username" = "x"\n[press]\nbudget = 4\n[ami.unknown]\nx = 1\n',
    ],
)
def test_a_configuration_may_be_written_in_any_form(old: str) -> None:
    done = made(found(PLAIN, files={CONFIG: old}), account="offrecord")

    before, after = tomllib.loads(old), tomllib.loads(texts(done)["offrecord.toml"] or "")
    assert not done.problems
    assert after["ami"]["username"] == "offrecord"
    assert set(after["ami"]["secret"]) == {"file"}
    assert {**before["ami"], "username": 0, "secret": 0} == {
        **after["ami"], "username": 0, "secret": 0,
    }  # fmt: skip
    assert after.get("press") == before.get("press")


@pytest.mark.parametrize(
    ("old", "says"),
    [("[ami\n", "is no TOML"), ('ami = "here"\n', "cannot be changed")],
)
def test_a_configuration_that_cannot_be_edited_is_refused(old: str, says: str) -> None:
    done = made(found(PLAIN, files={CONFIG: old}))

    assert says in str(done.problems[0])


# secrets


def test_no_diff_and_no_repr_shows_a_secret() -> None:
    at = found(PLAIN)
    done = plan(at, usual(at), Secrets(SECRETS.ami, Secret("noojee-api-key-000000000000000000000")))
    shown = "\n".join(row for change in done.changes for row in diff(change)) + repr(done)

    assert SECRETS.ami.reveal() not in shown
    assert "noojee-api-key" not in shown
    assert "yabba-dabba-doo" not in shown
    assert "********" in shown


@pytest.mark.parametrize(
    "row",
    ["secret = S3", "secret=>S3", "md5secret = S3", "AMPMGRPASS = S3", "password=S3",
     "same => n,Authenticate(S3)", "outbound_auth_token = S3"],
)  # fmt: skip
def test_a_line_with_a_secret_is_masked(row: str) -> None:
    assert "S3" not in masked(row)


def test_a_changed_secret_shows_as_changed_and_not_as_what() -> None:
    change = Change(ETC / "x", "secret = a\n", "secret = b\n", Owner.ASTERISK_SECRET, "")

    assert list(diff(change))[-2:] == ["-********", "+********"]


def test_the_secret_of_an_earlier_run_is_kept_and_told_to_asterisk_again() -> None:
    there = after(at := found(PLAIN), made(at))
    lost = {name: text for name, text in there.tree.items() if name != "offrecord-secret.conf"}

    assert kept_secret(replace(there, tree=lost)) == SECRETS.ami.reveal()
    assert kept_secret(replace(there, files={})) == SECRETS.ami.reveal()
    assert kept_secret(at) is None


def test_a_secret_that_others_can_read_is_written_anew() -> None:
    there = after(at := found(PLAIN), made(at))
    loose = there.places.credentials / "ami.secret"
    [change] = made(replace(there, loose=frozenset({loose}))).changes

    assert (change.path, change.kind) == (loose, "mode")


def test_a_manifest_knows_the_files_as_they_were_written() -> None:
    done = made(at := found(PLAIN))
    listed = after(at, done).manifest

    assert listed["/etc/asterisk/manager-offrecord.conf"] == fingerprint(
        texts(done)["manager-offrecord.conf"] or ""
    )
    assert "/etc/asterisk/manager.conf" not in listed


def test_answers_of_an_earlier_run_are_the_usual_ones() -> None:
    at = found(PLAIN)
    given: Answers = replace(
        usual(at), codes={Verb.STOP: "*91", Verb.PAUSE: "*92"}, technology="SIP", phones="_5XX",
        account="quarry", agi="127.0.0.1:4999", trunks=("a", "b"), noojee=NOOJEE, unit=False,
    )  # fmt: skip
    there = after(at, plan(at, given, SECRETS))
    again = usual(there)

    assert {verb: again.codes[verb] for verb in given.codes} == dict(given.codes)
    assert replace(again, codes=given.codes, move=given.move) == given


# ARI

WITH_ARI = Secrets(Secret("0123456789abcdef"), ari=Secret("fedcba9876543210"))


def with_ari(tree: dict[str, str], layout: Layout = Layout.PLAIN) -> Plan:
    at = found(tree, layout)
    return plan(at, replace(usual(at), ari=True), WITH_ARI)


def test_no_ari_account_is_made_unasked() -> None:
    at = found(PLAIN)
    assert not usual(at).ari
    assert not any("ari" in name for name in texts(made(at)))


def test_an_ari_account_is_a_user_of_its_own_on_loopback() -> None:
    done = with_ari(PLAIN)
    assert not done.problems
    files = texts(done)
    http = files["http.conf"]
    assert http is not None
    assert "enabled = yes\nbindaddr = 127.0.0.1" in http
    assert "[offrecord]\ntype = user\nread_only = no" in str(files["ari-offrecord.conf"])
    assert '#include "ari-offrecord.conf"' in str(files["ari.conf"])
    assert files["offrecord-ari-secret.conf"] == "password = fedcba9876543210\n"
    assert '[ari]\nusername = "offrecord"' in str(files["offrecord.toml"])
    assert "module reload http" in done.reload
    assert "module reload res_ari.so" in done.reload
    at = after(found(PLAIN), done)
    assert usual(at).ari
    assert not plan(at, usual(at), WITH_ARI).changes
    assert after(at, removal(at)).tree == PLAIN


def test_the_port_and_prefix_of_http_are_taken_over() -> None:
    http = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = 8089\nprefix = pbx\n"
    text = texts(with_ari({**PLAIN, "http.conf": http}))["offrecord.toml"]
    assert 'url = "http://127.0.0.1:8089/pbx"' in str(text)


@pytest.mark.parametrize(
    ("files", "layout", "says"),
    [
        ({"http.conf": "[general]\nenabled=yes\n"}, Layout.PLAIN, "every address"),
        ({"http.conf": "[general]\nenabled=yes\nbindaddr=0.0.0.0\n"}, Layout.PLAIN, "0.0.0.0"),
        ({"ari.conf": "[general]\nenabled=no\n"}, Layout.PLAIN, "ARI is off"),
        ({"ari.conf": "[offrecord]\ntype=user\n"}, Layout.PLAIN, "a site's own is not used"),
        ({}, Layout.FREEPBX, "the HTTP server is off"),
    ],
)
def test_what_stands_against_an_ari_account_is_refused(
    files: dict[str, str], layout: Layout, says: str
) -> None:
    tree = PLAIN if layout is Layout.PLAIN else FREEPBX
    problems = [str(one) for one in with_ari({**tree, **files}, layout).problems]
    assert len(problems) == 1
    assert says in problems[0]


def test_freepbx_gets_the_ari_account_in_its_custom_file() -> None:
    tree = {
        **FREEPBX,
        "http.conf": "[general]\nenabled=yes\nbindaddr=127.0.0.1\n",
        "ari.conf": "[general]\nenabled=yes\n#include ari_additional.conf\n"
        "#include ari_additional_custom.conf\n",
    }
    done = with_ari(tree, Layout.FREEPBX)
    assert not done.problems
    assert "ari.conf" not in texts(done)
    assert '#include "ari-offrecord.conf"' in str(texts(done)["ari_additional_custom.conf"])
