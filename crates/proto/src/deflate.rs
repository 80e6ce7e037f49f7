//! permessage-deflate (RFC 7692): its parameters, both directions of coding, and the audit of
//! what a peer compressed.

mod audit;
mod blocks;
mod coder;
mod parameters;

pub use audit::{Audit, Auditor, Corruption};
pub use blocks::{Block, Blocks};
pub use coder::{Deflater, InflateError, Inflater, TAIL};
pub use parameters::{
    Agreement, ClientWindow, Compression, NAME, ParameterFault, Parameters, WINDOW_BITS,
};
