# One-liners; whatever is more than that is in `cargo xtask`.

# What CI does
ci:
    cargo xtask ci

# All tests
test:
    cargo test --workspace --locked

# The catalogue against the built-in echo server, or against the given servers
run *ARGS:
    cargo run --release -- test {{ ARGS }}

# Formatting
fmt:
    cargo fmt --all

# Lints
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The codec, timed beside copies of the same octets; arguments are criterion's
bench *ARGS:
    cargo bench -p wsproof-proto -p wsproof-engine -p wsproof-testee -- {{ ARGS }}

# Licences, duplicates, sources of what we depend on
deny:
    cargo deny check licenses bans sources

# API documentation
doc:
    cargo doc --workspace --no-deps --document-private-items --open
