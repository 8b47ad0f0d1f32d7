# SPDX-License-Identifier: Apache-2.0
"""The configuration: TOML, drop-ins and environment made into one checked, frozen tree.

`load` reads one TOML file, the `conf.d/*.toml` in its folder in the order of their names, and the
environment (`OFFRECORD__AMI__PORT=5039`). `render` prints the merged result. The files only name
where secrets are kept.
"""

from offrecord.config.read_files import ConfigError, Problem
from offrecord.config.recorder_options import recorder_settings
from offrecord.config.render import render
from offrecord.config.schema import Config
from offrecord.config.sections.daemon import LogConfig, ShutdownConfig, SocketConfig
from offrecord.config.sections.journal import JournalConfig
from offrecord.config.sections.notify import SoundsConfig
from offrecord.config.sections.pbx import (
    AgiConfig,
    AmiConfig,
    ExtensionsConfig,
    KeypadConfig,
    UserEventConfig,
)
from offrecord.config.sections.press import PressConfig
from offrecord.config.sections.recorders import RecorderConfig, RouteRule, RoutesConfig
from offrecord.config.validate import Loaded, api_tokens, audit_archives, journal_path, load

__all__ = [
    "AgiConfig",
    "AmiConfig",
    "Config",
    "ConfigError",
    "ExtensionsConfig",
    "JournalConfig",
    "KeypadConfig",
    "Loaded",
    "LogConfig",
    "PressConfig",
    "Problem",
    "RecorderConfig",
    "RouteRule",
    "RoutesConfig",
    "ShutdownConfig",
    "SocketConfig",
    "SoundsConfig",
    "UserEventConfig",
    "api_tokens",
    "audit_archives",
    "journal_path",
    "load",
    "recorder_settings",
    "render",
]
