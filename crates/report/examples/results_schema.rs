//! Prints the JSON Schema of a line of `results.jsonl`; `cargo xtask schema` stores it.

#![allow(clippy::print_stdout, reason = "this program is there to print")]

use schemars::generate::SchemaSettings;
use wsproof_report::Line;

fn main() {
    // What is written, not all that is read: fields of later versions are missing in older files.
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Line>();
    schema.insert("title".to_owned(), "A line of results.jsonl".into());
    println!("{schema:#}", schema = schema.to_value());
}
