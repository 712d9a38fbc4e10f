//! `ilab taxonomy new`.

use std::path::{Path, PathBuf};

use ilab_base::io::WithPath;
use ilab_openai::client::{Budget, Frame};
use ilab_taxonomy::FOLDERS;

use crate::cli::taxonomy::{LeafKind, NewArgs};
use crate::error::{CommandError, Kind};
use crate::settings::access::Access;
use crate::settings::generate::local_teacher;
use crate::settings::named_model;
use crate::settings::{Invocation, TeacherSettings};

/// What a draft says until a person has said better.
const CREATED_BY: &str = "your-name";

/// What `ilab taxonomy new` needs.
#[derive(Debug)]
pub(crate) struct TaxonomyNewSettings {
    /// The folder of the leaf, which is made.
    pub(crate) folder: PathBuf,
    pub(crate) documents: Vec<PathBuf>,
    pub(crate) kind: LeafKind,
    /// Who writes the questions; `None` leaves them to the user.
    pub(crate) teacher: Option<TeacherSettings>,
    pub(crate) domain: String,
    pub(crate) created_by: String,
    /// Where git repositories with documents are kept.
    pub(crate) repositories: PathBuf,
    pub(crate) seed: u64,
}

impl TaxonomyNewSettings {
    pub(crate) fn resolve(args: NewArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let named = match args.model.is_some() || args.blank {
            true => None,
            false => named_model::teacher(None, invocation)?,
        };
        let frame = named
            .as_ref()
            .and_then(|model| Frame::of_family(&model.family));
        let named_path = named.map(|model| model.path.display().to_string());
        let model = args.model.or(named_path);
        let teacher = match args.endpoint_url {
            _ if args.blank => None,
            Some(url) => Some(TeacherSettings::Endpoint {
                url,
                access: Access::resolve(args.access, invocation)?,
                model,
                budget: Budget::default(),
                frame,
            }),
            None => {
                let config = invocation.config()?.generate;
                Some(local_teacher(model, None, &config))
            }
        };
        // The current folder may be inside the taxonomy.
        let place = std::path::absolute(&args.folder).with_path("find", &args.folder)?;
        Ok(Self {
            kind: kind(args.kind, &place)?,
            documents: args.document,
            teacher,
            domain: args.domain.unwrap_or_else(|| domain(&place)),
            created_by: args.created_by.unwrap_or_else(|| CREATED_BY.to_owned()),
            repositories: invocation.environment.dirs.cache.join("repositories"),
            seed: args.seed,
            folder: args.folder,
        })
    }
}

/// What was asked for, which the place in the taxonomy must not contradict; else what the place says.
fn kind(asked: Option<LeafKind>, folder: &Path) -> Result<LeafKind, CommandError> {
    let [skills, knowledge] = FOLDERS;
    let parents = folder.components().rev().map(|part| part.as_os_str());
    let of_place = parents.into_iter().find_map(|name| match name.to_str() {
        Some(name) if name == skills => Some(LeafKind::Skill),
        Some(name) if name == knowledge => Some(LeafKind::Knowledge),
        _ => None,
    });
    match (asked, of_place) {
        (Some(asked), Some(of_place)) if asked != of_place => Err(CommandError::message(
            Kind::Usage,
            format!(
                "`{}` is no folder for a leaf of the kind that `--kind` asks for",
                folder.display()
            ),
            format!("knowledge lies under `{knowledge}`, skills lie under `{skills}`"),
        )),
        (asked, of_place) => Ok(asked.or(of_place).unwrap_or(LeafKind::Knowledge)),
    }
}

/// `science` of `knowledge/science/moons`; the last name where there is no other.
fn domain(folder: &Path) -> String {
    let names = folder.components().rev().filter_map(|part| match part {
        std::path::Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let names: Vec<&str> = names.take_while(|name| !FOLDERS.contains(name)).collect();
    let name = names.get(1).or(names.first()).copied();
    name.unwrap_or("general").replace(['_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_says_kind_and_domain() {
        let place = |path: &str| (kind(None, Path::new(path)).ok(), domain(Path::new(path)));
        let (knowledge, skill) = (Some(LeafKind::Knowledge), Some(LeafKind::Skill));
        assert_eq!(
            place("t/knowledge/earth_science/moons"),
            (knowledge, "earth science".to_owned())
        );
        assert_eq!(place("knowledge/moons"), (knowledge, "moons".to_owned()));
        assert_eq!(
            place("t/compositional_skills/rhymes"),
            (skill, "rhymes".to_owned())
        );
        assert_eq!(place("moons"), (knowledge, "moons".to_owned()));
        let skills = Path::new("compositional_skills/a");
        assert!(kind(Some(LeafKind::Knowledge), skills).is_err());
    }
}
