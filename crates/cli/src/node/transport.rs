//! A transport of type `websocket.testee`: where it listens and how it behaves.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use wsproof_testee::{AutoPing, CloseReply, DeflateOptions, FailBy, Origins, ServerConfig};

use super::part::{Notes, Part, fault};

/// An echo server that a node file asks for.
#[derive(Debug)]
pub(crate) struct Transport {
    /// Where in the file it stands.
    pub(crate) place: String,
    /// Where it listens.
    pub(crate) addrs: Vec<SocketAddr>,
    /// Connections that may wait to be accepted.
    pub(crate) backlog: i32,
    /// What TLS needs; without it, there is none.
    pub(crate) tls: Option<TlsFiles>,
    /// How each connection behaves.
    pub(crate) server: ServerConfig,
}

/// Files in PEM, relative paths taken from the folder of the node file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The private key.
    pub(crate) key: PathBuf,
    /// The certificate of the key.
    pub(crate) certificate: PathBuf,
    /// Certificates between that one and its root.
    pub(crate) chain_certificates: Vec<PathBuf>,
}

/// Switches that an echo server does not have, and where they would stand.
const SWITCHES: [(&str, bool); 7] = [
    ("apply_mask", true),
    ("enable_flash_policy", false),
    ("enable_hybi10", false),
    ("enable_rfc6455", true),
    ("enable_webstatus", false),
    ("require_websocket_subprotocol", false),
    ("tcp_nodelay", true),
];

/// Sizes in octets and times in milliseconds; zero mostly means that there is no limit.
const NUMBERS: RangeInclusive<u64> = 0..=u32::MAX as u64;

/// Reads a transport.
pub(super) fn read(
    mut part: Part<'_>,
    folder: &Path,
    notes: &mut Notes,
) -> Result<Transport, String> {
    let what = "where to listen, {\"type\": \"tcp\", \"port\": 9001}";
    let mut endpoint = part.needs("endpoint", what, Part::part)?;
    let addrs = addresses(&mut endpoint)?;
    let backlog = endpoint.number("backlog", 1..=65535)?.unwrap_or(50);
    let tls = match endpoint.part("tls")? {
        Some(tls) => Some(read_tls(tls, folder, notes)?),
        None => None,
    };
    endpoint.finish(&["portrange", "shared", "user_timeout"], notes);
    // Nobody is offered what the file does not ask for.
    let mut server = ServerConfig { deflate: None, ..crate::echo::server_config() };
    if let Some(options) = part.part("options")? {
        read_options(options, &mut server, notes)?;
    }
    part.string("id")?;
    let place = part.place().to_owned();
    part.finish(&["auth", "cookie", "debug", "serializers", "url"], notes);
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    Ok(Transport { place, addrs, backlog, tls, server })
}

fn addresses(endpoint: &mut Part<'_>) -> Result<Vec<SocketAddr>, String> {
    let kind = endpoint.needs("type", "\"tcp\", the only type that is served", Part::string)?;
    if kind != "tcp" {
        let what = format!("must be \"tcp\" with a `port`, the only type served, not {kind:?}");
        return Err(fault(&endpoint.place_of("type"), what));
    }
    let port = endpoint.needs("port", "a number from 1 to 65535", |endpoint, key| {
        endpoint.take(key, "a number from 1 to 65535, or a string of its digits", port)
    })?;
    let version = endpoint.take("version", "4 or 6, the version of IP", |value| {
        value.as_u64().filter(|version| [4, 6].contains(version))
    })?;
    let place = endpoint.place_of("interface");
    let interface = endpoint.string("interface")?.unwrap_or_default();
    let fits = |ip: IpAddr, version| ip.is_ipv6() == (version == 6);
    if interface.is_empty() {
        let all: IpAddr = match version {
            Some(6) => Ipv6Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::UNSPECIFIED.into(),
        };
        return Ok(vec![SocketAddr::new(all, port)]);
    }
    if let Ok(ip) = interface.parse() {
        return match version {
            Some(version) if !fits(ip, version) => {
                Err(fault(&place, format!("must be an address of IPv{version}, not {interface:?}")))
            }
            _ => Ok(vec![SocketAddr::new(ip, port)]),
        };
    }
    let version = version.unwrap_or(4);
    let found = (interface, port).to_socket_addrs().map_err(|error| {
        let what = "must be an IP address, or a host name of this machine, not";
        fault(&place, format!("{what} {interface:?}: {error}"))
    })?;
    let mut addrs: Vec<_> = found.filter(|addr| fits(addr.ip(), version)).collect();
    addrs.sort_unstable();
    addrs.dedup();
    if addrs.is_empty() {
        let what = format!("{interface:?} has no address of IPv{version}; `version` chooses it");
        return Err(fault(&place, what));
    }
    Ok(addrs)
}

fn port(value: &Value) -> Option<u16> {
    let port = match value {
        Value::String(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            digits.parse().ok()?
        }
        value => u16::try_from(value.as_u64()?).ok()?,
    };
    (port > 0).then_some(port)
}

fn read_tls(mut tls: Part<'_>, folder: &Path, notes: &mut Notes) -> Result<TlsFiles, String> {
    let what = |what| format!("the path of the {what} in PEM");
    let key = folder.join(tls.needs("key", &what("private key"), Part::string)?);
    let certificate = folder.join(tls.needs("certificate", &what("certificate"), Part::string)?);
    let chain = tls.strings("chain_certificates")?.unwrap_or_default();
    let chain_certificates = chain.into_iter().map(|path| folder.join(path)).collect();
    tls.finish(&["ca_certificates", "ciphers", "dhparam"], notes);
    Ok(TlsFiles { key, certificate, chain_certificates })
}

fn read_options(
    mut options: Part<'_>,
    server: &mut ServerConfig,
    notes: &mut Notes,
) -> Result<(), String> {
    let mut size = |key| -> Result<Option<usize>, String> {
        Ok(options.number(key, NUMBERS)?.and_then(|number| usize::try_from(number).ok()))
    };
    let unlimited = |size| if size == 0 { usize::MAX } else { size };
    server.max_frame_size = size("max_frame_size")?.map_or(server.max_frame_size, unlimited);
    server.max_message_size = size("max_message_size")?.map_or(server.max_message_size, unlimited);
    server.fragment_size = size("auto_fragment_size")?.and_then(NonZeroUsize::new);
    if let Some(time) = milliseconds(&mut options, "open_handshake_timeout")? {
        server.handshake_timeout = time;
    }
    if let Some(time) = milliseconds(&mut options, "close_handshake_timeout")? {
        server.close_timeout = time;
    }
    server.auto_ping = read_auto_ping(&mut options)?;
    server.origins = read_origins(&mut options)?;
    if options.flag("fail_by_drop")? == Some(true) {
        server.fail_by = FailBy::DroppingTcp;
    }
    server.close_reply = match options.flag("echo_close_codereason")? {
        Some(true) => CloseReply::SameCodeAndReason,
        Some(false) => CloseReply::Normal,
        None => CloseReply::default(),
    };
    server.validate_text = options.flag("validate_utf8")?.unwrap_or(server.validate_text);
    server.mask_frames = options.flag("mask_server_frames")?.unwrap_or(server.mask_frames);
    let require_masks = options.flag("require_masked_client_frames")?;
    server.require_masks = require_masks.unwrap_or(server.require_masks);
    if options.flag("show_server_version")? == Some(false) {
        // The name alone, without what follows the slash.
        let name = server.server_name.as_deref().and_then(|name| name.split('/').next());
        server.server_name = name.map(str::to_owned);
    }
    for (key, ours) in SWITCHES {
        if options.flag(key)?.is_some_and(|theirs| theirs != ours) {
            notes.idle(&options.place_of(key));
        }
    }
    if let Some(mut compression) = options.part("compression")? {
        if let Some(deflate) = compression.part("deflate")? {
            server.deflate = Some(read_deflate(deflate, notes)?);
        }
        compression.finish(&["bzip2", "snappy"], notes);
    }
    options.finish(&["auto_ping_restart_on_any_traffic", "external_port", "flash_policy"], notes);
    Ok(())
}

fn milliseconds(part: &mut Part<'_>, key: &str) -> Result<Option<Duration>, String> {
    Ok(part.number(key, NUMBERS)?.map(Duration::from_millis))
}

fn read_auto_ping(options: &mut Part<'_>) -> Result<Option<AutoPing>, String> {
    let interval = milliseconds(options, "auto_ping_interval")?.unwrap_or_default();
    let timeout = milliseconds(options, "auto_ping_timeout")?.unwrap_or_default();
    let size = options.number("auto_ping_size", 4..=125)?.unwrap_or(4);
    let size = usize::try_from(size).unwrap_or(4);
    Ok((!interval.is_zero()).then_some(AutoPing { interval, timeout, size }))
}

fn read_origins(options: &mut Part<'_>) -> Result<Origins, String> {
    let mut origins = Origins::default();
    if let Some(patterns) = options.strings("allowed_origins")? {
        origins.patterns = patterns.into_iter().map(str::to_owned).collect();
    }
    origins.allow_null = options.flag("allow_null_origin")?.unwrap_or(origins.allow_null);
    Ok(origins)
}

fn read_deflate(mut deflate: Part<'_>, notes: &mut Notes) -> Result<DeflateOptions, String> {
    let defaults = DeflateOptions::default();
    let mut small = |key, range| -> Result<Option<u8>, String> {
        Ok(deflate.number(key, range)?.and_then(|number| u8::try_from(number).ok()))
    };
    let request_max_window_bits = small("request_max_window_bits", 8..=15)?;
    let max_window_bits = small("max_window_bits", 8..=15)?.unwrap_or(defaults.max_window_bits);
    let memory_level = small("memory_level", 1..=9)?.unwrap_or(defaults.memory_level);
    let mut flag = |key| Ok::<_, String>(deflate.flag(key)?.unwrap_or(false));
    let request_no_context_takeover = flag("request_no_context_takeover")?;
    let no_context_takeover = flag("no_context_takeover")?;
    deflate.finish(&[], notes);
    Ok(DeflateOptions {
        request_no_context_takeover,
        request_max_window_bits,
        no_context_takeover,
        max_window_bits,
        memory_level,
        ..defaults
    })
}
