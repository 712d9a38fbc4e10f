//! The journal: every answer of a teacher, written the moment it arrives.
//!
//! A run that was killed and is started again finds here what it had already been given. Keys are hashes of all that
//! decides an answer, so an entry never goes stale: an edited prompt, another model or another seed has another key.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilab_base::io::{self, WithPath as _};
use ilab_openai::completer::{Completion, Request};
use rusqlite::{Connection, OptionalExtension, params};

use crate::drops::Drops;
pub use crate::journal_error::JournalError;
use crate::pipeline::fingerprint;

/// The file in the folder of datasets.
pub const FILE_NAME: &str = "journal.sqlite";

/// Marks the file as ours ("ilab").
const APPLICATION_ID: i32 = 0x696c_6162;

/// Another run may be writing to the same journal.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS answers (
        key BLOB PRIMARY KEY,
        model TEXT NOT NULL,
        request TEXT NOT NULL,
        completion TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS drops (
        run TEXT NOT NULL,
        leaf TEXT NOT NULL,
        block TEXT NOT NULL,
        reason TEXT NOT NULL,
        n_samples INTEGER NOT NULL,
        text TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS speeds (
        teacher TEXT PRIMARY KEY,
        tokens_per_second REAL NOT NULL
    ) WITHOUT ROWID;
";

/// Gives the journal in `folder` another name, which holds `suffix`, so that the next run starts without one: the new path,
/// if there was a journal.
///
/// # Errors
/// A journal that is no journal, or a folder that cannot be written.
pub fn set_aside(folder: &Path, suffix: &str) -> Result<Option<PathBuf>, JournalError> {
    let path = folder.join(FILE_NAME);
    if !path.exists() {
        return Ok(None);
    }
    let journal = Journal::open(folder)?;
    // Leaving the write-ahead log needs the file for oneself: a run that is using it, even one that waits, keeps it.
    let mode = {
        let connection = journal.lock();
        let alone = connection.busy_timeout(Duration::ZERO).and_then(|()| {
            connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| {
                row.get::<_, String>(0)
            })
        });
        match alone {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                None
            }
            alone => Some(alone.map_err(|source| journal.database(source))?),
        }
    };
    if mode.as_deref() != Some("delete") {
        return Err(JournalError::InUse { path });
    }
    drop(journal);
    let aside = folder.join(format!("journal_{suffix}.sqlite"));
    std::fs::rename(&path, &aside).with_path("rename", &path)?;
    Ok(Some(aside))
}

/// What an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of a request to a model. Equal requests of different blocks have different keys.
    pub(crate) fn new(block_fingerprint: &[u8; 32], teacher: &str, request: &Request) -> Self {
        let request = serde_json::to_vec(request).expect("a request is plain data");
        Self(fingerprint([
            &block_fingerprint[..],
            teacher.as_bytes(),
            &request,
        ]))
    }
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Journal {
    /// Opens the journal in `folder`; where there is none, an empty one that nobody sees.
    pub(crate) fn open_if_there(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE_NAME);
        match path.exists() {
            true => Self::open(folder),
            false => Self::of(path, Connection::open_in_memory()),
        }
    }

    /// Opens the journal in `folder`, creating both when absent.
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        io::create_dir_all(folder)?;
        let path = folder.join(FILE_NAME);
        let connection = Connection::open(&path);
        Self::of(path, connection)
    }

    fn of(path: PathBuf, connection: rusqlite::Result<Connection>) -> Result<Self, JournalError> {
        let connection = connection
            .and_then(|connection| prepare(&connection).map(|is_ours| (connection, is_ours)));
        match connection {
            Ok((connection, true)) => Ok(Self {
                path,
                connection: Mutex::new(connection),
            }),
            Ok((_, false)) => Err(JournalError::Foreign { path }),
            Err(source) => Err(JournalError::Database { path, source }),
        }
    }

    /// The answer to an earlier request.
    pub(crate) fn answer(&self, key: Key) -> Result<Option<Completion>, JournalError> {
        let text: Option<String> = self
            .lock()
            .prepare_cached("SELECT completion FROM answers WHERE key = ?1")
            .and_then(|mut statement| statement.query_row([key.0], |row| row.get(0)).optional())
            .map_err(|source| self.database(source))?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|source| JournalError::Entry {
                path: self.path.clone(),
                source,
            })
    }

    /// Whether there is any answer.
    pub(crate) fn has_answers(&self) -> Result<bool, JournalError> {
        self.lock()
            .query_row("SELECT EXISTS (SELECT 1 FROM answers)", [], |row| {
                row.get(0)
            })
            .map_err(|source| self.database(source))
    }

    /// Keeps an answer; when this returns, a killed process does not lose it.
    pub(crate) fn keep(
        &self,
        key: Key,
        model: &str,
        request: &Request,
        completion: &Completion,
    ) -> Result<(), JournalError> {
        let encode = |source| JournalError::Entry {
            path: self.path.clone(),
            source,
        };
        let request = serde_json::to_string(request).map_err(encode)?;
        let completion = serde_json::to_string(completion).map_err(encode)?;
        self.lock()
            .prepare_cached("INSERT OR REPLACE INTO answers (key, model, request, completion) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute(params![key.0, model, request, completion]))
            .map_err(|source| self.database(source))?;
        Ok(())
    }

    /// Keeps the drop report of a run.
    pub(crate) fn keep_drops(&self, run: &str, drops: &Drops) -> Result<(), JournalError> {
        insert_drops(&mut self.lock(), run, drops).map_err(|source| self.database(source))
    }

    /// Keeps how many tokens a second a teacher wrote in its last run.
    pub(crate) fn keep_speed(
        &self,
        teacher: &str,
        tokens_per_second: f64,
    ) -> Result<(), JournalError> {
        self.lock()
            .execute(
                "INSERT OR REPLACE INTO speeds (teacher, tokens_per_second) VALUES (?1, ?2)",
                params![teacher, tokens_per_second],
            )
            .map_err(|source| self.database(source))?;
        Ok(())
    }

    /// What [`Journal::keep_speed`] kept.
    pub(crate) fn speed(&self, teacher: &str) -> Result<Option<f64>, JournalError> {
        self.lock()
            .query_row(
                "SELECT tokens_per_second FROM speeds WHERE teacher = ?1",
                [teacher],
                |row| row.get(0),
            )
            .optional()
            .map_err(|source| self.database(source))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half statement behind: the database undoes it.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Database {
            path: self.path.clone(),
            source,
        }
    }
}

fn insert_drops(connection: &mut Connection, run: &str, drops: &Drops) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM drops WHERE run = ?1", [run])?;
    for drop in &drops.0 {
        let n_samples = i64::try_from(drop.n_samples).unwrap_or(i64::MAX);
        transaction
            .prepare_cached("INSERT INTO drops (run, leaf, block, reason, n_samples, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![run, drop.leaf, drop.block, drop.reason.description(), n_samples, drop.text])?;
    }
    transaction.commit()
}

/// Sets the database up; false when it belongs to something else.
fn prepare(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let n_tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && n_tables > 0 {
        return Ok(false);
    }
    // A write-ahead log survives a killed process without waiting for the disk at every answer; a power cut may cost the
    // last few answers and nothing else.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(SCHEMA)?;
    // Last: a file without it is only ours while it has no tables, and both happen before the first answer.
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drops::{DropReason, DroppedSample};
    use ilab_base::hint::Hint as _;
    use ilab_openai::completer::{Choice, FinishReason, Prompt, Sampling};

    fn request(seed: u64) -> Request {
        Request {
            prompt: Prompt::Text("p".into()),
            sampling: Sampling {
                seed: Some(seed),
                ..Default::default()
            },
        }
    }

    fn completion(text: &str) -> Completion {
        let choice = Choice {
            text: text.into(),
            finish_reason: FinishReason::Stop,
            logprobs: Vec::new(),
        };
        Completion {
            choices: vec![choice],
            usage: Default::default(),
        }
    }

    #[test]
    fn answers_survive_reopening_and_every_part_of_the_key_counts() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::new(&[0; 32], "m", &request(1));
        {
            let journal = Journal::open(folder.path()).unwrap();
            journal
                .keep(key, "m", &request(1), &completion("a"))
                .unwrap();
        }
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.answer(key).unwrap(), Some(completion("a")));
        for other in [
            Key::new(&[1; 32], "m", &request(1)),
            Key::new(&[0; 32], "n", &request(1)),
            Key::new(&[0; 32], "m", &request(2)),
        ] {
            assert_eq!(journal.answer(other).unwrap(), None);
        }
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(
            &path,
            "not a database, but long enough to be looked at by the library",
        )
        .unwrap();
        assert!(matches!(
            Journal::open(folder.path()),
            Err(JournalError::Database { .. })
        ));
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE t (x)")
            .unwrap();
        assert!(matches!(
            Journal::open(folder.path()),
            Err(JournalError::Foreign { .. })
        ));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        // A folder in the place of the file: no mode keeps a test that runs as root from writing.
        std::fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
        let error = Journal::open(folder.path()).unwrap_err();
        let expected = format!(
            "check the owner and the mode of `{}`, or take another `--output-dir`",
            folder.path().display()
        );
        assert_eq!(error.hints(), [expected], "{error:?}");
    }

    #[test]
    fn a_damaged_entry_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let key = Key::new(&[0; 32], "m", &request(1));
        journal
            .keep(key, "m", &request(1), &completion("a"))
            .unwrap();
        journal
            .lock()
            .execute("UPDATE answers SET completion = '{'", [])
            .unwrap();
        assert!(matches!(
            journal.answer(key),
            Err(JournalError::Entry { .. })
        ));
    }

    #[test]
    fn a_journal_in_use_is_not_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        assert!(set_aside(folder.path(), "1").unwrap().is_none());
        let idle = Journal::open(folder.path()).unwrap();
        let error = set_aside(folder.path(), "1").unwrap_err();
        assert!(matches!(error, JournalError::InUse { .. }), "{error:?}");
        assert!(!idle.has_answers().unwrap(), "it can still be read");
        drop(idle);
        let aside = set_aside(folder.path(), "1").unwrap().unwrap();
        assert_eq!(aside, folder.path().join("journal_1.sqlite"));
        let files = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(files.count(), 1, "nothing of it stays behind");
    }

    #[test]
    fn the_drop_report_of_a_run_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let drops = Drops(vec![DroppedSample {
            leaf: "l".into(),
            block: "b".into(),
            reason: DropReason::CutOff,
            n_samples: 2,
            text: "t".into(),
        }]);
        journal.keep_drops("run", &drops).unwrap();
        journal.keep_drops("run", &drops).unwrap();
        let count: i64 = journal
            .lock()
            .query_row("SELECT sum(n_samples) FROM drops", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
    }
}
