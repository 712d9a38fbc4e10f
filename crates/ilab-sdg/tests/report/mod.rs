//! The page of a run and where its samples are from.

use ilab_openai::completer::FinishReason;
use ilab_sdg::GenerateOptions;
use ilab_sdg::pipeline::PipelineSource;
use serde_json::Value;

use crate::scripted::{Scripted, answer};
use crate::taxonomy::write_judging_pipeline;
use crate::{lines, options, run};

#[test]
fn every_sample_says_where_it_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline");
    write_judging_pipeline(&pipeline);
    let options = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder.path())
    };
    let teacher = Scripted::new(|prompt, seed| {
        let text = match prompt.starts_with("Judge") {
            true => format!("[Score] {} [/Score]", 1 + seed % 2),
            false => format!("[Q]What is {seed} of {prompt}?[/Q][A]{seed}.[/A]"),
        };
        Ok((text, FinishReason::Stop))
    });
    let summary = run(&options, &teacher).unwrap();
    let samples = lines(&std::fs::read_to_string(&summary.files.provenance).unwrap());
    assert_eq!(samples.len(), summary.n_samples());
    let generated = lines(&std::fs::read_to_string(&summary.files.train).unwrap());
    assert_eq!(samples[0]["answer"], generated[0]["assistant"]);
    let first = &samples[0];
    assert_eq!(first["leaf"], "knowledge->animals->brill");
    assert_eq!(first["document"], "brill.md");
    assert_eq!(first["chunk"], 1);
    assert_eq!(first["seed_question"], "How many legs has a brill?");
    assert_eq!(first["model"], "scripted");
    assert_eq!(first["pipeline"], "pipeline");
    let is_score =
        |sample: &Value| ["1", "2"].contains(&sample["verdicts"]["score"].as_str().unwrap());
    assert!(samples.iter().all(is_score), "{first}");
    // A skill has no document.
    let skill = samples
        .iter()
        .find(|sample| sample["leaf"] == "compositional_skills->opposites")
        .unwrap();
    assert!(skill.get("document").is_none(), "{skill}");
}

#[test]
fn the_page_holds_all_samples_and_no_text_breaks_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    const HOSTILE: &str = "</script><script>alert(1)</script><!-- <b>&amp; \u{2028}";
    let teacher = Scripted::new(|prompt, seed| match seed % 3 {
        0 => Ok((format!("{HOSTILE} {seed}"), FinishReason::Stop)),
        1 => Ok((
            format!("What is {seed}{HOSTILE}? {HOSTILE}"),
            FinishReason::Stop,
        )),
        _ => answer(prompt, seed),
    });
    let summary = run(&options, &teacher).unwrap();
    let page = std::fs::read_to_string(&summary.files.report).unwrap();
    // Its own two scripts end, and none else begins or ends.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<!-- ") && !page.contains("<b>"), "escaped");
    let data = page.split(r#"type="application/json">"#).nth(1).unwrap();
    let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
    let samples = data["samples"].as_array().unwrap();
    assert_eq!(samples.len(), summary.n_samples());
    let is_hostile = |sample: &&Value| sample["answer"] == HOSTILE.trim();
    assert!(samples.iter().find(is_hostile).is_some());
    let text = samples[0]["text"].as_u64().unwrap() as usize;
    assert!(data["texts"][text].as_str().unwrap().contains("brill"));
    assert!(page.contains("no question mark"));
    assert!(page.contains(&format!(
        "<strong>{}</strong> were left out",
        summary.drops.n_samples()
    )));
    // Nothing is fetched from anywhere.
    assert!(!page.contains("http"), "no address");
}
