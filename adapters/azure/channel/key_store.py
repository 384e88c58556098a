"""The root keys that this device trusts now: those pinned on it, and the newest package that they vouch for.

The package is kept over restarts: it says which keys are disabled, which an attacker would like to be forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from adapters.azure.channel.files import Files
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.root_keys import MAX_PACKAGE_BYTES, KeyStore, RootKey, accept_package, parse_root_keys
from agent.disk import SystemDisk
from bridge.release.errors import ChannelError, FailureCode, OtabridgeError, ReleaseError


class RootKeysNotKept(OtabridgeError):
    """The device cannot keep a package: after a restart it would trust keys again that are disabled."""

    code = FailureCode.JOURNAL


_log = logging.getLogger(__name__)


class RootKeys:
    """Read at the first use."""

    def __init__(self, settings: AzureSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._pinned: Mapping[str, RootKey] = {}
        self._store: KeyStore | None = None

    def current(self) -> KeyStore:
        """What is trusted now. Raises: ChannelError, final, when the pinned keys cannot be used."""
        if self._store is None:
            self._pinned = self._read_pinned()
            self._store = self._read_kept(KeyStore(self._pinned))
        return self._store

    def refresh(self, url: str) -> bool:
        """Take the package at `url`; whether it was the one already in use.

        Raises: UntrustedRootKeys, RootKeysNotKept, FileRefused, ChannelError.
        """
        current = self.current()
        package = self._files.get(url, MAX_PACKAGE_BYTES)
        store = self._accepted(package, current)
        if store == current:
            return True
        self._keep(package)
        self._store = store
        return False

    def _accepted(self, package: bytes, current: KeyStore) -> KeyStore:
        return accept_package(package, self._pinned, current, allow_test=self._settings.allow_test_root_keys)

    def _read_pinned(self) -> Mapping[str, RootKey]:
        path = self._settings.root_keys_file
        try:
            return parse_root_keys(Path(path).read_bytes())
        except OSError as error:
            raise ChannelError(f"channel: root_keys_file {path}: {error.strerror}", retryable=False) from error
        except ReleaseError as error:
            raise ChannelError(f"channel: root_keys_file {path}: {error}", retryable=False) from error

    def _read_kept(self, pinned: KeyStore) -> KeyStore:
        """With the kept package; one that cannot be used is as good as none, and the next one replaces it."""
        path = self._settings.root_key_package_file
        try:
            package = None if path is None else SystemDisk().read(Path(path))
            return pinned if package is None else self._accepted(package, pinned)
        except OSError as error:
            _log.warning("root_key_package_file %s: %s", path, error.strerror)
        except ReleaseError as error:
            _log.warning("root_key_package_file %s: %s", path, error)
        return pinned

    def _keep(self, package: bytes) -> None:
        path = self._settings.root_key_package_file
        if path is None:
            return
        try:
            SystemDisk().replace(Path(path), package)
        except OSError as error:
            raise RootKeysNotKept(f"root_key_package_file {path} cannot be written: {error.strerror}") from error
