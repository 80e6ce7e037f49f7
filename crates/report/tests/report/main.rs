//! Everything that is rendered, from one fixed set of results.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod causes;
mod classic;
mod html;
mod index;
mod results;
mod sample;
mod size;
mod summary;
