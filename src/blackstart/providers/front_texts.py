# SPDX-License-Identifier: Apache-2.0
"""The front server's configuration as text: closed to everyone, or open."""

from __future__ import annotations

from blackstart.providers.front_devices import device_lines
from blackstart.providers.front_writes import log_lines

INSTANCE_FRONT_PORT = 8444
RETRY_AFTER_S = 60


def hold_text(public_name: str, directory: str, upstream: str, key: str) -> str:
    """Return the configuration that answers 503 to everyone but the site itself."""
    return "\n".join(
        [
            f"# {key}",
            *_global(public_name),
            f"https://{public_name}:443 {{",
            *_tls(directory),
            "@own remote_ip 127.0.0.1 ::1",
            "handle @own {",
            f"reverse_proxy {upstream}",
            "}",
            "handle {",
            *_unavailable(public_name),
            "}",
            *_when_down(public_name),
            "}",
            *_everyone_else(public_name, directory),
            "",
        ]
    )


def admit_text(
    public_name: str,
    directory: str,
    upstream: str,
    instance_ports: str,
    key: str,
    private_paths: tuple[str, ...] = ("/metrics", "/metrics/*"),
    device_paths: tuple[str, ...] = (),
) -> str:
    """Return the configuration that serves the platform and its instances.

    A request to the instances' front names the instance by the port in its Host header; only
    ports in `instance_ports` are passed on. Whatever is not ours, and an upstream that does not
    answer, is answered 503, and so is on `device_paths` whoever the platform does not know.
    """
    return "\n".join(
        [
            f"# {key}",
            *_global(public_name),
            f"https://{public_name}:443 {{",
            *_tls(directory),
            *log_lines(directory, "GET", "HEAD", "OPTIONS"),
            'header Strict-Transport-Security "max-age=31536000"',
            *_closed(private_paths),
            *device_lines(device_paths, upstream, _unavailable(public_name)),
            "handle {",
            f"reverse_proxy {upstream} {{",
            'header_down Set-Cookie "(?i)^(.*)$" "$1; Secure; SameSite=Lax"',
            "}",
            "}",
            *_when_down(public_name),
            "}",
            *_instances(public_name, directory, instance_ports),
            *_everyone_else(public_name, directory),
            "",
        ]
    )


def page_text(public_name: str) -> str:
    """Return the page for those who are held off."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Temporarily unavailable</title>"
        "<body style='font-family:sans-serif;max-width:36em;margin:4em auto'>"
        f"<h1>{public_name} is being restored</h1>"
        "<p>The service is not available at the moment. We are restoring it in a new environment "
        "and will open it when everything has been checked.</p>"
        "<p>Nothing that you do here now is lost: nothing is accepted. Please try again later.</p>"
    )


def _global(public_name: str) -> list[str]:
    return [
        "{",
        "admin off",
        "persist_config off",
        "auto_https off",
        f"default_sni {public_name}",
        "grace_period 2s",
        "servers {",
        "protocols h1 h2",
        "}",
        "log {",
        "output stderr",
        "format json",
        "level WARN",
        "}",
        "}",
    ]


def _closed(paths: tuple[str, ...]) -> list[str]:
    """Keep what is not for the public closed.

    In a `handle` of its own: Caddy comes to a bare `respond` only after every `handle`, and the one
    that passes everything on would answer first.
    """
    if not paths:
        return []
    return [f"@private path {' '.join(paths)}", "handle @private {", "respond 403", "}"]


def _instances(public_name: str, directory: str, instance_ports: str) -> list[str]:
    if not instance_ports:
        return []
    first, _, last = instance_ports.partition("-")
    port = "int({http.request.port})"
    return [
        f"https://{public_name}:{INSTANCE_FRONT_PORT} {{",
        *log_lines(directory),
        *_tls(directory),
        f"@instance expression `{port} >= {first} && {port} <= {last or first}`",
        "handle @instance {",
        "reverse_proxy 127.0.0.1:{http.request.port}",
        "}",
        "handle {",
        *_unavailable(public_name),
        "}",
        *_when_down(public_name),
        "}",
    ]


def _everyone_else(public_name: str, directory: str) -> list[str]:
    return [
        f"https://:443, https://:{INSTANCE_FRONT_PORT} {{",
        *_tls(directory),
        *_unavailable(public_name),
        "}",
    ]


def _tls(directory: str) -> list[str]:
    return [f'tls "{directory}/web.pem" "{directory}/web.key"']


def _unavailable(public_name: str) -> list[str]:
    return [
        f'header Retry-After "{RETRY_AFTER_S}"',
        'header Cache-Control "no-store"',
        'header Content-Type "text/html; charset=utf-8"',
        f'respond "{page_text(public_name)}" 503',
    ]


def _when_down(public_name: str) -> list[str]:
    return ["handle_errors 502 503 504 {", *_unavailable(public_name), "}"]
