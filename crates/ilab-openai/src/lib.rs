//! The OpenAI-compatible protocol: wire types, server-sent events, the traits that everything above talks to, and the
//! HTTP client that implements them for a remote endpoint.
//!
//! Deliberately absent: any engine, any server, and anything that reads keys from the environment.

pub mod completer;
pub mod constraint;
pub mod wire;

pub mod sse;

pub mod client;
