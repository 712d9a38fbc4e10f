//! The config.yaml tree, its defaults, comments and diagnostics.
