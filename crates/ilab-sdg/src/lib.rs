//! Synthetic data generation: pipelines, blocks, scheduler, journal and dataset files.
