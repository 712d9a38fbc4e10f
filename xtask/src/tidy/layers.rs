//! Who may import whom.

use crate::tidy::Finding;
use crate::tidy::repository::{Crate, SourceFile};

/// May import everything below it.
const TOP: u8 = 5;
/// Development only: no product crate imports it.
const DEV: u8 = 6;

/// Layer, crate, and the crates it may import: the table of ARCHITECTURE.md.
const TABLE: &[(u8, &str, &[&str])] = &[
    (0, "ilab-base", &[]),
    (1, "ilab-config", &["ilab-base"]),
    (1, "ilab-taxonomy", &["ilab-base"]),
    (1, "ilab-text", &["ilab-base"]),
    (1, "ilab-weights", &["ilab-base"]),
    (1, "ilab-openai", &["ilab-base"]),
    (1, "ilab-documents", &["ilab-base"]),
    (1, "ilab-kernels", &[]),
    (
        3,
        "ilab-sdg",
        &[
            "ilab-base",
            "ilab-taxonomy",
            "ilab-text",
            "ilab-documents",
            "ilab-openai",
        ],
    ),
    (
        3,
        "ilab-train",
        &["ilab-base", "ilab-text", "ilab-weights", "ilab-kernels"],
    ),
    (
        3,
        "ilab-infer",
        &["ilab-base", "ilab-text", "ilab-weights", "ilab-openai"],
    ),
    (
        3,
        "ilab-convert",
        &["ilab-base", "ilab-text", "ilab-weights"],
    ),
    (
        4,
        "ilab-server",
        &["ilab-base", "ilab-openai", "ilab-text", "ilab-infer"],
    ),
    (TOP, "ilab", &[]),
    (
        DEV,
        "ilab-testkit",
        &["ilab-base", "ilab-weights", "ilab-convert"],
    ),
    (DEV, "xtask", &[]),
];

/// The crate's line of the table.
fn line(name: &str) -> Option<(u8, &'static [&'static str])> {
    let found = TABLE.iter().find(|(_, known, _)| *known == name);
    found.map(|(layer, _, may_import)| (*layer, *may_import))
}

/// Checks the imports of every crate, and that ARCHITECTURE.md knows them all.
pub(super) fn check(crates: &[Crate], files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let architecture = files
        .iter()
        .find(|file| file.path == "ARCHITECTURE.md")
        .map_or("", |file| &file.text);
    for krate in crates {
        let Some((layer, may_import)) = line(&krate.name) else {
            findings.push(Finding::file(
                &krate.manifest,
                "the crate has no line in the layer table of xtask/src/tidy/layers.rs",
            ));
            continue;
        };
        if !architecture.contains(&format!("`{}`", krate.name)) {
            findings.push(Finding::file(
                "ARCHITECTURE.md",
                format!("the crate `{}` is not named", krate.name),
            ));
        }
        for import in &krate.imports {
            if !is_allowed(layer, may_import, import) {
                findings.push(Finding::file(
                    &krate.manifest,
                    format!("`{}` may not import `{import}`", krate.name),
                ));
            }
        }
    }
    findings
}

fn is_allowed(layer: u8, may_import: &[&str], import: &str) -> bool {
    match line(import) {
        Some((imported_layer, _)) if layer >= TOP && may_import.is_empty() => {
            imported_layer < layer
        }
        _ => may_import.contains(&import),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_import(name: &str, import: &str) -> Vec<String> {
        let krate = Crate {
            name: name.to_owned(),
            root_file: String::new(),
            manifest: format!("crates/{name}/Cargo.toml"),
            imports: vec![import.to_owned()],
        };
        let architecture = SourceFile {
            path: "ARCHITECTURE.md".to_owned(),
            text: format!("`{name}`"),
        };
        let findings = check(&[krate], &[architecture]);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_table_only_points_down() {
        for (layer, name, may_import) in TABLE {
            for import in *may_import {
                let (imported_layer, _) = line(import).unwrap();
                assert!(imported_layer < *layer, "{name} imports {import}");
            }
        }
    }

    #[test]
    fn an_import_across_a_layer_or_of_test_support_is_found() {
        assert_eq!(
            check_import("ilab-train", "ilab-convert"),
            ["crates/ilab-train/Cargo.toml: `ilab-train` may not import `ilab-convert`"]
        );
        assert_eq!(check_import("ilab", "ilab-testkit").len(), 1);
        assert_eq!(check_import("ilab-kernels", "ilab-base").len(), 1);
        assert_eq!(check_import("ilab", "ilab-server"), [""; 0]);
        assert_eq!(check_import("xtask", "ilab-train"), [""; 0]);
        assert_eq!(check_import("ilab-server", "ilab-infer"), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_line_is_found() {
        let findings = check_import("ilab-extras", "ilab-base");
        assert!(findings[0].contains("layer table"), "{findings:?}");
    }
}
