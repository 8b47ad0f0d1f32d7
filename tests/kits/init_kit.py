# SPDX-License-Identifier: Apache-2.0
"""Folders as machines with an Asterisk have them, for `offrecord init`.

The FreePBX one has the files and includes of FreePBX's own sources, see `offrecord.setup.plan_pbx`,
shortened to what counts.
"""

from pathlib import Path

PLAIN = {
    "manager.conf": "[general]\nenabled = yes\nport = 5038\nbindaddr = 127.0.0.1\n\n"
    "[admin]\nsecret = yabba-dabba-doo\nread = all\n",
    "features.conf": "[general]\n",
    "extensions.conf": "[general]\n[globals]\nQUARRY=7\n\n[default]\nexten => 1,1,NoOp()\n",
    "pjsip.conf": "[410]\ntype = endpoint\n",
}
FREEPBX = {
    "manager.conf": "[general]\nenabled = yes\nport = 5038\n[admin]\nsecret = yabba-dabba-doo\n"
    "#include manager_additional.conf\n#include manager_custom.conf\n",
    "manager_additional.conf": "",
    "features.conf": "[general]\n#include features_general_additional.conf\n"
    "#include features_general_custom.conf\n\n[applicationmap]\n"
    "#include features_applicationmap_additional.conf\n"
    "#include features_applicationmap_custom.conf\n\n[featuremap]\n"
    "#include features_featuremap_additional.conf\n#include features_featuremap_custom.conf\n",
    "features_general_additional.conf": "pickupexten=*8\n",
    "features_applicationmap_additional.conf": "apprecord=>*1,caller,Macro,one-touch-record\n",
    "features_featuremap_additional.conf": "blindxfer=##\natxfer=*2\ndisconnect=**\n",
    "extensions.conf": "#include extensions_override_freepbx.conf\n"
    "#include extensions_additional.conf\n#include extensions_custom.conf\n",
    "extensions_additional.conf": "[globals]\nASTVERSION = 22.10.1\nDYNAMIC_FEATURES = apprecord\n"
    "#include globals_custom.conf\n\n;end of [globals]\n\n[from-internal]\nexten => 1,1,NoOp()\n",
    "extensions_custom.conf": "; somebody's own\n",
    "globals_custom.conf": "; somebody's own\n",
}


def machine(root: Path, files: dict[str, str] | None = None) -> Path:
    """Lay out a machine below `root` and return Asterisk's folder in it."""
    etc = root / "etc/asterisk"
    etc.mkdir(parents=True)
    (root / "etc/systemd/system").mkdir(parents=True)
    for name, text in (PLAIN if files is None else files).items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o640)
    return etc


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Return every file below `root` with its text and mode, backups left out."""
    return {
        str(path.relative_to(root)): (path.read_text(), path.stat().st_mode & 0o777)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith("~")
    }
