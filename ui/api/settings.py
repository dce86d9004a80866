"""Settings of the service: the table `[portal]` of `wenju.toml`, `WENJU_PORTAL_*` in the environment."""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

from rag.config import load_table
from rag.errors import SettingError

IDENTITIES = ("none", "token", "header")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PREFIX = re.compile(r"(/(?!\.)[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Portal:
    """How the service stands in a portal. Closed by default: nobody else's pages, no proxy, no identity."""

    identity: str = "none"
    """"none": nobody signs in, only documents without groups are shown. "token": a JWT that the portal signed.
    "header": a reverse proxy among `trusted_proxies` names the person."""
    origins: tuple[str, ...] = ()
    """Origins ("https://portal.example.gov.cn") whose pages may embed the chat and call the service."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-* and identity headers are believed."""
    hosts: tuple[str, ...] = ()
    """Names under which people reach a service without sign-in, besides addresses and this machine's own name."""
    root_path: str = ""
    """Sub-path under which a reverse proxy shows the service ("/kb"), when it does not say so itself."""

    token_key: str = ""
    """Shared secret of HS256, 32 bytes or more. From the environment only: files are read by many."""
    token_key_file: str = ""
    """A file with the public key of RS256 (PEM), a JWKS, or the shared secret."""
    token_audience: str = "wenju"
    token_issuer: str = ""
    """If set, tokens of other issuers are refused."""
    token_groups: str = "groups"
    """Name of the claim that lists the person's groups."""
    token_leeway: int = 30
    """Seconds by which clocks may differ."""
    user_header: str = "X-Remote-User"
    groups_header: str = "X-Remote-Groups"

    admins: tuple[str, ...] = ()
    """Who may use the 管理 page and /api/v1/admin: names of people, and groups written "@group". Without an identity it is
    whoever sits at the machine, and nobody else."""

    rate: int = 0
    """Requests that ask, search or write, for each person (else each address) a minute; 0: no limit."""
    waiting: int = 32
    """Questions that may wait for a thread; the next one is refused with 503."""
    body_kb: int = 1024
    body_seconds: int = 20
    """Within which a request's body has to arrive."""
    idle_seconds: int = 20
    """After which a connection that sends no request, or takes no response, is cut off."""
    shutdown_seconds: int = 30
    """Within which accepted questions are answered when the service is stopped."""

    audit_days: int = 180
    """Days that audit entries are kept."""
    audit_sync: bool = True
    """Whether an answer waits until its audit entry is on the disk; without an identity, which tells no person from another,
    it never does."""
    log: str = "plain"
    """"plain": warnings, for people. "json": every request, one JSON object a line."""

    @classmethod
    def load(cls, folder: Path | None = None) -> "Portal":
        """The settings of this process. Raises SettingError."""
        portal = load_table("portal", cls, folder)
        if portal.token_key and "WENJU_PORTAL_TOKEN_KEY" not in os.environ:
            raise SettingError("密钥不能写在 wenju.toml 里。", "请用环境变量 WENJU_PORTAL_TOKEN_KEY，或设置 token_key_file。")
        return portal.checked()

    def checked(self) -> "Portal":
        """The same. Raises SettingError for a value that cannot be."""
        for name, value, allowed in (("identity", self.identity, IDENTITIES), ("log", self.log, ("plain", "json"))):
            if value not in allowed:
                raise SettingError(f"设置 portal.{name} 的值 {value!r} 不可用。", f"可选：{'、'.join(allowed)}。")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise SettingError(f"设置 portal.origins 中的 {origin!r} 不对。", "请写成 https://主机名[:端口]，小写，不带路径和 *。")
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise SettingError(f"设置 portal.hosts 中的 {host!r} 不对。", "请只写主机名，小写，不带端口、路径和 *。")
        if not _PREFIX.fullmatch(self.root_path):
            raise SettingError(f"设置 portal.root_path 的值 {self.root_path!r} 不对。", "请写成 /kb 这样，末尾不带斜杠。")
        try:
            self.networks()
        except ValueError as error:
            raise SettingError(f"设置 portal.trusted_proxies 不对：{error}。", "请填地址或网段，例如 10.0.0.5 或 10.0.0.0/24。") from error
        if self.identity == "header" and not self.trusted_proxies:
            raise SettingError("identity 为 header 时要说明相信谁。", "请设置 portal.trusted_proxies。")
        if self.admins and self.identity == "none":
            raise SettingError("没有身份（portal.identity），就认不出 portal.admins 里的人。", "请设置 portal.identity，或去掉 portal.admins。")
        if not min(self.body_kb, self.body_seconds, self.idle_seconds, self.shutdown_seconds, self.audit_days):
            raise SettingError("设置 body_kb、body_seconds、idle_seconds、shutdown_seconds、audit_days 应为正整数。")
        return self

    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """`trusted_proxies` as networks. Raises ValueError."""
        return tuple(ipaddress.ip_network(entry) for entry in self.trusted_proxies)
