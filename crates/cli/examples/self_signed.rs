//! Writes a certificate for this machine, signed by itself, and its key:
//! `cargo run --example self_signed certificate.pem key.pem`. For measurements, in which several
//! servers are to have the same one.

use rcgen::{CertifiedKey, generate_simple_self_signed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<_> = std::env::args().skip(1).collect();
    let [certificate, key] = &files[..] else {
        return Err("usage: self_signed CERTIFICATE KEY".into());
    };
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    std::fs::write(certificate, cert.pem())?;
    std::fs::write(key, signing_key.serialize_pem())?;
    Ok(())
}
