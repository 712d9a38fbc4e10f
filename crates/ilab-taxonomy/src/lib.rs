//! Taxonomy files: finding, diffing against git and validating qna.yaml.
