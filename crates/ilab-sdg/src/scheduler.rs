//! Rows of all leaves on their way through the blocks of their pipelines, all at once.
//!
//! A row goes on the moment its answers are there: it waits for others only where a block looks at all rows of its leaf. Rows
//! that have come furthest go first, so few are on their way at any time. Each carries its [`Place`], so what came back first
//! decides nothing about the result.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::block::{Block, BlockKind};
use crate::drops::Drops;
use crate::error::GenerateError;
use crate::generate::GenerateOptions;
use crate::observer::{Event, Observer};
use crate::pipeline::Pipeline;
use crate::row::{Judged, Row};
use crate::run::Run;
use crate::track::{Place, Step, Track};
use crate::watch::Watch;

/// Rows that go through one pipeline together.
pub(crate) struct Part<'p> {
    /// The leaf that they are from.
    pub(crate) leaf: &'p str,
    pub(crate) pipeline: &'p Pipeline,
    pub(crate) rows: Vec<Row>,
}

/// What became of a part.
#[derive(Debug, Default)]
pub(crate) struct Produced {
    pub(crate) rows: Vec<Judged>,
    pub(crate) drops: Drops,
    /// Answers that were asked for.
    pub(crate) n_answers: usize,
}

/// When a run waits and when it stops.
#[derive(Debug)]
pub(crate) struct Limits {
    /// At most so many rows are on their way to the teacher at a time.
    pub(crate) max_in_flight: usize,
    /// Stops the run when its first answers are no good.
    pub(crate) watch: Option<Watch>,
}

impl Limits {
    pub(crate) fn of(options: &GenerateOptions) -> Self {
        Self {
            max_in_flight: options.max_in_flight,
            watch: (!options.keeps_going).then(Watch::default),
        }
    }
}

/// Sends all parts through their pipelines; what became of each, in the same order.
pub(crate) async fn flow(
    run: &Run<'_>,
    parts: Vec<Part<'_>>,
    limits: Limits,
    observer: &dyn Observer,
) -> Result<Vec<Produced>, GenerateError> {
    let mut flow = Flow::new(run, parts, limits.watch, observer);
    let mut visits = FuturesUnordered::new();
    loop {
        while visits.len() < limits.max_in_flight.max(1)
            && let Some(traveller) = flow.ready.pop()
        {
            let track = &flow.tracks[traveller.at.track];
            let block = track.steps[traveller.at.step].block();
            visits.push(visit(run, track.leaf, block, traveller));
        }
        let Some(visited) = visits.next().await else {
            return Ok(flow.tracks.into_iter().map(Track::finish).collect());
        };
        flow.arrive(visited?)?;
    }
}

async fn visit(
    run: &Run<'_>,
    leaf: &str,
    block: &Block,
    traveller: Traveller,
) -> Result<Visited, GenerateError> {
    let Traveller {
        at,
        iteration,
        judged: Judged { row, verdicts },
    } = traveller;
    let made = run.visit(block, leaf, row, iteration).await?;
    let judge = |row| {
        let mut judged = Judged {
            row,
            verdicts: verdicts.clone(),
        };
        block.drop_columns_of(&mut judged);
        judged
    };
    Ok(Visited {
        at,
        rows: made.rows.into_iter().map(judge).collect(),
        drops: made.drops,
        n_answers: made.n_answers,
    })
}

/// Where a row is on its way.
#[derive(Debug)]
struct Position {
    track: usize,
    step: usize,
    place: Place,
}

/// A row in front of a block.
#[derive(Debug)]
struct Traveller {
    at: Position,
    /// Which repetition of the block this is.
    iteration: u32,
    judged: Judged,
}

/// What a block made of a row.
#[derive(Debug)]
struct Visited {
    /// Where the row was.
    at: Position,
    rows: Vec<Judged>,
    drops: Drops,
    n_answers: usize,
}

/// Everything on its way.
struct Flow<'f, 'p> {
    observer: &'f dyn Observer,
    watch: Option<Watch>,
    tracks: Vec<Track<'p>>,
    /// Rows that wait to be visited; the last one is next.
    ready: Vec<Traveller>,
}

impl<'f, 'p> Flow<'f, 'p> {
    fn new(
        run: &Run<'_>,
        parts: Vec<Part<'p>>,
        watch: Option<Watch>,
        observer: &'f dyn Observer,
    ) -> Self {
        let tracks = parts.iter().map(|part| Track::new(part, run));
        let mut flow = Self {
            observer,
            watch,
            tracks: tracks.collect(),
            ready: Vec::new(),
        };
        for (track, part) in parts.into_iter().enumerate().rev() {
            flow.plan(flow.tracks[track].expected[0] * part.rows.len() as i64);
            let placed = (0..)
                .map(|number| Place(vec![number]))
                .zip(part.rows.into_iter().map(Judged::from));
            flow.move_to(track, 0, placed.collect());
            flow.settle(track);
        }
        flow
    }

    /// Puts rows in front of a step, the first of them next.
    fn move_to(&mut self, track_index: usize, step: usize, rows: Vec<(Place, Judged)>) {
        let track = &mut self.tracks[track_index];
        match track.steps.get(step) {
            None => track.finished.extend(rows),
            Some(Step::All(_)) => {
                track.gathered.extend(rows);
                track.gathered_at = step;
            }
            Some(Step::Each(block)) => {
                for iteration in (0..block.n_iterations).rev() {
                    for (place, judged) in rows.iter().rev() {
                        track.n_travelling += 1;
                        let place = match block.n_iterations {
                            1 => place.clone(),
                            _ => place.under(iteration),
                        };
                        self.ready.push(Traveller {
                            at: Position {
                                track: track_index,
                                step,
                                place,
                            },
                            iteration,
                            judged: judged.clone(),
                        });
                    }
                }
            }
        }
    }

    /// A block is done with a row.
    fn arrive(&mut self, visited: Visited) -> Result<(), GenerateError> {
        let Position {
            track,
            step,
            ref place,
        } = visited.at;
        let is_flat = matches!(
            self.tracks[track].steps[step].block().kind,
            BlockKind::Flatten(_)
        );
        let placed = |(number, row)| match is_flat {
            true => (place.under(number), row),
            false => (place.followed_by(number), row),
        };
        let rows: Vec<_> = (0..).zip(visited.rows).map(placed).collect();
        let on_track = &mut self.tracks[track];
        self.observer.event(Event::Passed {
            leaf: on_track.leaf,
            block: &on_track.steps[step].block().name,
            n_rows: rows.len(),
            n_left_out: visited.drops.n_samples(),
        });
        if let Some(watch) = &mut self.watch {
            let block = &on_track.steps[step].block().name;
            watch.visited(block, rows.len(), &visited.drops);
            if on_track.is_made_after(step) {
                rows.iter()
                    .for_each(|(_, judged)| watch.finished(on_track.leaf, &judged.row));
            }
        }
        on_track.n_travelling -= 1;
        on_track.n_answers += visited.n_answers;
        on_track.drop_all(step, place, visited.drops);
        let expected =
            on_track.expected[step] / i64::from(on_track.steps[step].block().n_iterations);
        let change =
            visited.n_answers as i64 + rows.len() as i64 * on_track.expected[step + 1] - expected;
        self.plan(change);
        self.move_to(track, step + 1, rows);
        self.settle(track);
        self.watch.as_ref().map_or(Ok(()), Watch::check)
    }

    /// Lets the rows of a part through a step for all once none of them is on its way to it.
    fn settle(&mut self, track_index: usize) {
        loop {
            let track = &mut self.tracks[track_index];
            if track.n_travelling > 0 || track.gathered.is_empty() {
                return;
            }
            let step = track.gathered_at;
            let before = std::mem::take(&mut track.gathered);
            let n_before = before.len();
            let rows = track.all(step, before);
            let change = (rows.len() as i64 - n_before as i64) * track.expected[step + 1];
            self.plan(change);
            self.move_to(track_index, step + 1, rows);
        }
    }

    fn plan(&self, change: i64) {
        if change != 0 {
            self.observer.event(Event::Planned { change });
        }
    }
}
