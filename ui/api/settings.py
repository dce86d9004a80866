"""Settings of the service: the table `[portal]` of `wenju.toml`, `WENJU_PORTAL_*` in the environment."""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag.config import load_table
from rag.errors import SettingError

IDENTITIES = ("none", "token", "header", "oidc")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SECRETS = ("token_key", "oidc_client_secret", "session_key")
LEAST_SECRET = 32
"""Bytes of an HS256 secret (RFC 7518, 3.2)."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PREFIX = re.compile(r"(/(?!\.)[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Portal:
    """How the service stands in a portal. Closed by default: nobody else's pages, no proxy, no identity."""

    identity: str = "none"
    """"none": nobody signs in, only documents without groups are shown. "token": a JWT that the portal signed.
    "header": a reverse proxy among `trusted_proxies` names the person. "oidc": people sign in with an OpenID provider."""
    origins: tuple[str, ...] = ()
    """Origins ("https://portal.example.gov.cn") whose pages may embed the chat and call the service."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-* and identity headers are believed."""
    hosts: tuple[str, ...] = ()
    """Names under which people reach a service without sign-in, besides addresses and this machine's own name."""
    root_path: str = ""
    """Sub-path under which a reverse proxy shows the service ("/kb"), when it does not say so itself."""
    public_url: str = ""
    """Where browsers find the service ("https://portal.example.gov.cn/kb"). For "oidc": the provider sends people back to
    `<public_url>/auth/callback`, and after signing out to `<public_url>/auth/done`; both have to be registered with it."""

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

    oidc_issuer: str = ""
    """The provider's issuer, exactly as its ID tokens name it; `<issuer>/.well-known/openid-configuration` says the rest."""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    """From the environment only; none for a public client."""
    oidc_authorize_url: str = ""
    oidc_token_url: str = ""
    oidc_keys_url: str = ""
    """With these three set, nothing is discovered."""
    oidc_logout_url: str = ""
    """Where signing out goes on to; "": as discovered, if it is."""
    oidc_scope: str = "openid profile"
    oidc_name: str = "sub"
    """Name of the claim that the audit log knows people by."""
    oidc_groups: str = "groups"
    """Name of the claim that lists the person's groups; dots lead into it ("realm_access.roles")."""
    session_hours: int = 8
    """After which one has to sign in again."""
    session_key: str = ""
    """Signs the cookies of "oidc", 32 bytes or more, from the environment only. "": another one at every start, which ends
    all sessions; to be set where several services stand behind one address."""

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
        for name in _SECRETS:
            variable = f"WENJU_PORTAL_{name.upper()}"
            if getattr(portal, name) and variable not in os.environ:
                raise SettingError("密钥不能写在 wenju.toml 里。", f"请用环境变量 {variable}。")
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
        if self.identity == "oidc":
            self._check_oidc()
        if self.admins and self.identity == "none":
            raise SettingError("没有身份（portal.identity），就认不出 portal.admins 里的人。", "请设置 portal.identity，或去掉 portal.admins。")
        if not min(self.body_kb, self.body_seconds, self.idle_seconds, self.shutdown_seconds, self.audit_days, self.session_hours):
            raise SettingError("设置 body_kb、body_seconds、idle_seconds、shutdown_seconds、audit_days、session_hours 应为正整数。")
        return self

    def _check_oidc(self) -> None:
        for name, hint in (("oidc_issuer", "填身份服务的 issuer，与它的发现文档里写的一字不差。"), ("oidc_client_id", "填在身份服务登记的客户端编号。"),
                           ("public_url", "填浏览器访问文据的地址，例如 https://portal.example.gov.cn/kb。")):
            if not getattr(self, name):
                raise SettingError(f"identity 为 oidc 时要设置 portal.{name}。", hint)
        for name in ("public_url", "oidc_issuer", "oidc_authorize_url", "oidc_token_url", "oidc_keys_url", "oidc_logout_url"):
            if (url := getattr(self, name)) and not is_secure(url):
                raise SettingError(f"设置 portal.{name} 的值 {url!r} 不对。", "请写成 https:// 开头的地址（只有本机可以用 http）。")
        if self.public_url.endswith("/"):
            raise SettingError("设置 portal.public_url 末尾不要带斜杠。")
        given = [bool(url) for url in (self.oidc_authorize_url, self.oidc_token_url, self.oidc_keys_url)]
        if any(given) and not all(given):
            raise SettingError("oidc_authorize_url、oidc_token_url、oidc_keys_url 要么都写，要么都不写。", "都不写时从身份服务的发现文档读取。")
        if "openid" not in self.oidc_scope.split():
            raise SettingError("设置 portal.oidc_scope 里要有 openid。")
        if self.session_key and len(self.session_key.encode()) < LEAST_SECRET:
            raise SettingError("设置 portal.session_key 太短。", f"至少要 {LEAST_SECRET} 字节。")

    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """`trusted_proxies` as networks. Raises ValueError."""
        return tuple(ipaddress.ip_network(entry) for entry in self.trusted_proxies)


def is_secure(url: str) -> bool:
    """Whether what goes to this address and comes from it can be neither read nor changed on the way: https, or this machine."""
    try:
        parts = urlsplit(url)
        return (parts.scheme == "https" and bool(parts.hostname)) or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    except ValueError:
        return False
