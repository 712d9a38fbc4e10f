//! The instructions of a pickle that a state dictionary needs, into a tree of plain data.
//!
//! Values live in a list and refer to each other by their place in it. So a value that is used twice is never copied, and the tree
//! is never larger than the pickle, whatever its memo does.

use super::defect::PickleDefect;

/// A value's place in the tree.
pub(super) type NodeId = usize;

/// What a pickle builds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    None,
    Bool(bool),
    Integer(i64),
    Float,
    Text(String),
    /// A tuple or a list.
    Sequence(Vec<NodeId>),
    /// A dictionary, ordered or not, as it was filled.
    Dictionary(Vec<(NodeId, NodeId)>),
    Global(Global),
    /// A persistent id: what identifies a storage.
    Persistent(NodeId),
    /// A global with its arguments: the description of a tensor or parameter.
    Call(Global, NodeId),
}

/// The names that may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A class of storages, by its name.
    Storage(&'static str),
}

const GLOBALS: &[(&str, &str, Global)] = &[
    ("collections", "OrderedDict", Global::OrderedDict),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensor),
    (
        "torch._utils",
        "_rebuild_parameter",
        Global::RebuildParameter,
    ),
];

const STORAGES: &[&str] = &[
    "FloatStorage",
    "HalfStorage",
    "BFloat16Storage",
    "DoubleStorage",
    "LongStorage",
    "IntStorage",
    "ShortStorage",
    "CharStorage",
    "ByteStorage",
    "BoolStorage",
];

/// The values of a pickle; the last instruction chose the root.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

impl Tree {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}

/// Reads a whole pickle.
pub(super) fn parse(bytes: &[u8]) -> Result<Tree, PickleDefect> {
    let mut machine = Machine {
        bytes,
        at: 0,
        begin: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: std::collections::HashMap::new(),
    };
    loop {
        machine.begin = machine.at;
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Tree {
                nodes: machine.nodes,
                root,
            });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the current instruction begins.
    begin: usize,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
    /// Heights of the stack at which a mark was set.
    marks: Vec<usize>,
    memo: std::collections::HashMap<u32, NodeId>,
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleDefect> {
        match opcode {
            // PROTO: the version changes no instruction that is read here.
            0x80 => self.byte().map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'q' | b'r' => self.memoise(opcode),
            b'h' | b'j' => self.recall(opcode),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' => self.byte().and_then(|value| self.integer(value.into())),
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.integer(value.into())
            }
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.integer(value.into())
            }
            0x8a => self.long(),
            b'G' => {
                self.take::<8>()?;
                self.push(Node::Float)
            }
            b'X' => {
                let length = u32::from_le_bytes(self.take()?) as usize;
                self.text(length)
            }
            b')' | b']' => self.push(Node::Sequence(Vec::new())),
            b'}' => self.push(Node::Dictionary(Vec::new())),
            0x85..=0x87 => self.short_tuple(usize::from(opcode - 0x84)),
            b't' | b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Sequence(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)
            }
            b'c' => self.global(),
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            b'R' => self.reduce(),
            b'b' => self.build(),
            opcode => Err(PickleDefect::Instruction {
                offset: self.begin,
                opcode,
            }),
        }
    }

    fn operand<T>(&self, what: &'static str) -> Result<T, PickleDefect> {
        Err(PickleDefect::Operand {
            offset: self.begin,
            what,
        })
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], PickleDefect> {
        let cut = PickleDefect::CutShort { offset: self.begin };
        let end = self.at.checked_add(length).ok_or_else(|| cut.clone())?;
        let slice = self.bytes.get(self.at..end).ok_or(cut)?;
        self.at = end;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleDefect> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(N)?);
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, PickleDefect> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn push(&mut self, node: Node) -> Result<(), PickleDefect> {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn integer(&mut self, value: i64) -> Result<(), PickleDefect> {
        self.push(Node::Integer(value))
    }

    /// An integer of up to eight bytes, as sizes are.
    fn long(&mut self) -> Result<(), PickleDefect> {
        let length = usize::from(self.byte()?);
        if length > 8 {
            return self.operand("an integer has more than 64 bits");
        }
        let bytes = self.slice(length)?;
        let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut value = [if is_negative { 0xff } else { 0 }; 8];
        value[..length].copy_from_slice(bytes);
        self.integer(i64::from_le_bytes(value))
    }

    fn text(&mut self, length: usize) -> Result<(), PickleDefect> {
        let text = std::str::from_utf8(self.slice(length)?).map(str::to_owned);
        match text {
            Ok(text) => self.push(Node::Text(text)),
            Err(_) => self.operand("text is not valid UTF-8"),
        }
    }

    /// What is above the last mark cannot be reached from below it.
    fn pop(&mut self) -> Result<NodeId, PickleDefect> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return self.operand("the stack is empty");
        }
        self.stack
            .pop()
            .map_or_else(|| self.operand("the stack is empty"), Ok)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<NodeId>, PickleDefect> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.operand("there is no mark"),
        }
    }

    fn short_tuple(&mut self, length: usize) -> Result<(), PickleDefect> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Node::Sequence(items))
    }

    fn memo_key(&mut self, is_short: bool) -> Result<u32, PickleDefect> {
        if is_short {
            self.byte().map(u32::from)
        } else {
            self.take().map(u32::from_le_bytes)
        }
    }

    fn memoise(&mut self, opcode: u8) -> Result<(), PickleDefect> {
        let key = self.memo_key(opcode == b'q')?;
        let top = self.pop()?;
        self.stack.push(top);
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Result<(), PickleDefect> {
        let key = self.memo_key(opcode == b'h')?;
        match self.memo.get(&key) {
            Some(id) => {
                self.stack.push(*id);
                Ok(())
            }
            None => self.operand("the memo has no such entry"),
        }
    }

    /// The container on top of the stack, which stays there.
    fn top(&mut self) -> Result<&mut Node, PickleDefect> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(&mut self.nodes[top])
    }

    fn append(&mut self, mut items: Vec<NodeId>) -> Result<(), PickleDefect> {
        match self.top()? {
            Node::Sequence(sequence) => {
                sequence.append(&mut items);
                Ok(())
            }
            _ => self.operand("something is appended to what is no list"),
        }
    }

    fn set(&mut self, items: Vec<NodeId>) -> Result<(), PickleDefect> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return self.operand("a key has no value");
        }
        match self.top()? {
            Node::Dictionary(dictionary) => {
                dictionary.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => self.operand("an item is set in what is no dictionary"),
        }
    }

    fn line(&mut self) -> Result<&str, PickleDefect> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n');
        let Some(length) = length else {
            return Err(PickleDefect::CutShort { offset: self.begin });
        };
        let line = std::str::from_utf8(&rest[..length]);
        self.at += length + 1;
        line.or(Err(PickleDefect::Operand {
            offset: self.begin,
            what: "a name is not valid UTF-8",
        }))
    }

    fn global(&mut self) -> Result<(), PickleDefect> {
        let module = self.line()?.to_owned();
        let offset = self.begin;
        let name = self.line()?;
        let storage = STORAGES.iter().find(|storage| **storage == name);
        let known = GLOBALS
            .iter()
            .find(|global| global.0 == module && global.1 == name)
            .map(|global| global.2)
            .or_else(|| {
                let storage = storage.filter(|_| module == "torch")?;
                Some(Global::Storage(storage))
            });
        match known {
            Some(global) => self.push(Node::Global(global)),
            None => Err(PickleDefect::Global {
                offset,
                name: format!("{module}.{name}").chars().take(200).collect(),
            }),
        }
    }

    /// A call that is written down, not made.
    fn reduce(&mut self) -> Result<(), PickleDefect> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        match self.nodes[callable] {
            Node::Global(Global::OrderedDict) => self.push(Node::Dictionary(Vec::new())),
            Node::Global(Global::Storage(_)) => self.operand("a storage is made from arguments"),
            Node::Global(global) => self.push(Node::Call(global, arguments)),
            _ => self.operand("what is called is no name"),
        }
    }

    /// Attributes of an ordered dictionary: version numbers of the modules, which say nothing about the tensors.
    fn build(&mut self) -> Result<(), PickleDefect> {
        self.pop()?;
        match self.top()? {
            Node::Dictionary(_) => Ok(()),
            _ => self.operand("attributes are set on what is no dictionary"),
        }
    }
}
