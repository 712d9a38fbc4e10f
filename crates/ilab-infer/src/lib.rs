//! The llama.cpp engine: scheduling, sampling, scoring, quantising.
