//! Everything that is rendered, from one fixed set of results.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod baseline;
mod causes;
mod classic;
mod conversation;
mod exports;
mod html;
mod index;
mod results;
mod sample;
mod several;
mod size;
mod summary;
