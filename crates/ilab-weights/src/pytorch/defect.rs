//! What can be wrong with a PyTorch file.

use ilab_base::hint::Hint;

use crate::zip::ZipDefect;

/// A `.bin` file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TorchDefect {
    /// Another kind of file.
    #[error("{}", if *is_legacy { "it was written by PyTorch before 1.6" } else { "it is no zip archive" })]
    NotZip {
        /// Whether it looks like the older format.
        is_legacy: bool,
    },
    /// The archive is damaged.
    #[error(transparent)]
    Zip(#[from] ZipDefect),
    /// The archive holds no pickle.
    #[error("it holds no data.pkl")]
    NoPickle,
    /// The values are of a machine with the other byte order.
    #[error("its byte order is `{got}`, only `little` is read")]
    ByteOrder {
        /// What the file says.
        got: String,
    },
    /// The description of the tensors cannot be read.
    #[error(transparent)]
    Pickle(#[from] PickleDefect),
    /// The pickle is something else than a dictionary of tensors.
    #[error("it holds {got} where {expected} is expected")]
    Structure {
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A tensor's storage is not in the archive.
    #[error("the storage `{key}` of `{tensor}` is missing")]
    NoStorage {
        /// The tensor.
        tensor: String,
        /// The key of its storage.
        key: String,
    },
    /// A tensor reaches beyond its storage.
    #[error(
        "`{tensor}` of shape {shape:?} with strides {strides:?} from value {offset} does not fit its storage of {n_values} values"
    )]
    Outside {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its strides, in values.
        strides: Vec<usize>,
        /// Its first value.
        offset: usize,
        /// Values of the storage.
        n_values: usize,
    },
}

/// A pickle holds something that a state dictionary does not need, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleDefect {
    /// The pickle ends inside an instruction.
    #[error("at byte {offset} of data.pkl: it is cut short")]
    CutShort {
        /// Where the instruction begins.
        offset: usize,
    },
    /// An instruction that state dictionaries do not use.
    #[error(
        "at byte {offset} of data.pkl: the instruction 0x{opcode:02x} is not one that torch.save writes for tensors"
    )]
    Instruction {
        /// Where it stands.
        offset: usize,
        /// Its code.
        opcode: u8,
    },
    /// A name that is not needed for tensors; loading such a file in Python would run it.
    #[error(
        "at byte {offset} of data.pkl: it names `{name}`, which is no part of a state dictionary and is not run"
    )]
    Global {
        /// Where it stands.
        offset: usize,
        /// Module and name.
        name: String,
    },
    /// An instruction whose operands are missing or of another kind.
    #[error("at byte {offset} of data.pkl: {what}")]
    Operand {
        /// Where the instruction begins.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Hint for TorchDefect {
    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Zip(ZipDefect::Compressed { .. }) | Self::NotZip { is_legacy: true } => {
                "load it with a current PyTorch and save the state dictionary again, best as safetensors".to_owned()
            }
            Self::Pickle(PickleDefect::Global { .. }) => {
                "use the model's .safetensors files; if you did not make this file yourself, do not load it in Python either".to_owned()
            }
            Self::Structure { .. } | Self::Pickle(PickleDefect::Instruction { .. }) => {
                "save `model.state_dict()`, not the model or an optimiser's state".to_owned()
            }
            _ => "the file may be cut off: download or copy it again".to_owned(),
        }]
    }
}
