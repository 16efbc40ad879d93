//! The tree of an expression, as it is parsed: macros are nodes of their own.

use std::sync::Arc;

use crate::value::Value;

/// An expression and where it begins.
#[derive(Clone, Debug)]
pub struct Expr {
    /// In bytes from the beginning of the text.
    pub at: usize,
    /// How many expressions are in each other, this one counted.
    pub depth: usize,
    /// Its number in the whole, by which is kept what is found out about it.
    pub id: usize,
    /// What it is.
    pub node: Node,
}

impl Expr {
    pub(crate) fn new(at: usize, node: Node) -> Expr {
        let mut deepest = 0;
        node.children(&mut |child| deepest = deepest.max(child.depth));
        Expr { at, depth: deepest + 1, id: 0, node }
    }

    /// Whether a name is used in it that no macro gives.
    pub(crate) fn uses(&self, name: &str) -> bool {
        if let Node::Ident(own) = &self.node {
            return &**own == name;
        }
        let mut found = false;
        match &self.node {
            Node::Fold(fold) if fold.variables.iter().any(|own| &**own == name) => {
                found = fold.range.uses(name)
            }
            Node::WithOptional { target, variable, .. } if &**variable == name => found = target.uses(name),
            node => node.children(&mut |child| found |= child.uses(name)),
        }
        found
    }

    /// Numbers it and all that is in it, and answers the first number that is left.
    pub(crate) fn number(&mut self, first: usize) -> usize {
        self.id = first;
        let mut next = first + 1;
        self.node.children_mut(&mut |child| next = child.number(next));
        next
    }
}

impl Node {
    /// Calls with each expression that is directly in it.
    pub(crate) fn children(&self, each: &mut impl FnMut(&Expr)) {
        match self {
            Node::Literal(_) | Node::Ident(_) => {}
            Node::Select { operand, .. } | Node::Has { operand, .. } => each(operand),
            Node::Call { target, arguments, .. } => {
                target.iter().map(|target| &**target).chain(arguments).for_each(each)
            }
            Node::List(elements) => elements.iter().for_each(|(element, _)| each(element)),
            Node::Map(entries) | Node::Message { fields: entries, .. } => {
                entries.iter().for_each(|entry| [&entry.key, &entry.value].into_iter().for_each(&mut *each));
            }
            Node::Fold(fold) => [&fold.range, &fold.step].into_iter().chain(&fold.filter).for_each(each),
            Node::WithOptional { target, result, .. } => [&**target, &**result].into_iter().for_each(each),
            Node::Bind { value, result, .. } => [&**value, &**result].into_iter().for_each(each),
        }
    }
}

impl Node {
    /// The same, to change them.
    pub(crate) fn children_mut(&mut self, each: &mut impl FnMut(&mut Expr)) {
        match self {
            Node::Literal(_) | Node::Ident(_) => {}
            Node::Select { operand, .. } | Node::Has { operand, .. } => each(operand),
            Node::Call { target, arguments, .. } => {
                target.iter_mut().map(|target| &mut **target).chain(arguments).for_each(each);
            }
            Node::List(elements) => elements.iter_mut().for_each(|(element, _)| each(element)),
            Node::Map(entries) | Node::Message { fields: entries, .. } => {
                entries
                    .iter_mut()
                    .for_each(|entry| [&mut entry.key, &mut entry.value].into_iter().for_each(&mut *each));
            }
            Node::Fold(fold) => {
                let Fold { range, step, filter, .. } = &mut **fold;
                [range, step].into_iter().chain(filter).for_each(each);
            }
            Node::WithOptional { target, result, .. } => {
                [&mut **target, &mut **result].into_iter().for_each(each)
            }
            Node::Bind { value, result, .. } => {
                [&mut **value, &mut **result].into_iter().for_each(each);
            }
        }
    }
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Node {
    /// A value that is written down.
    Literal(Value),
    /// A name.
    Ident(Arc<str>),
    /// A field of something.
    Select {
        /// The something.
        operand: Box<Expr>,
        /// The field.
        field: Arc<str>,
        /// Whether it may be absent (`a.?b`).
        optional: bool,
    },
    /// Whether a field is there: `has(a.b)`.
    Has {
        /// What has it.
        operand: Box<Expr>,
        /// The field.
        field: Arc<str>,
    },
    /// A function, or an operator by its name in declarations (`_+_`).
    Call {
        /// Its name.
        function: Arc<str>,
        /// What a member function is called on.
        target: Option<Box<Expr>>,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
    /// `[a, ?b]`: elements, and whether each may be absent.
    List(Vec<(Expr, bool)>),
    /// `{k: v, ?k: v}`.
    Map(Vec<Entry>),
    /// `Type{field: v}`.
    Message {
        /// The type's name.
        name: Arc<str>,
        /// Its fields; the keys are literals.
        fields: Vec<Entry>,
    },
    /// A macro that goes through a list or a map.
    Fold(Box<Fold>),
    /// `cel.bind(v, value, e)`.
    Bind {
        /// The name.
        variable: Arc<str>,
        /// What it stands for.
        value: Box<Expr>,
        /// What uses it.
        result: Box<Expr>,
    },
    /// `target.optMap(v, e)` and `target.optFlatMap(v, e)`.
    WithOptional {
        /// The optional value.
        target: Box<Expr>,
        /// The name that its content gets.
        variable: Arc<str>,
        /// What becomes of it.
        result: Box<Expr>,
        /// Whether the result is an optional value already.
        flat: bool,
    },
}

/// An entry of a map or a message.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its key.
    pub key: Expr,
    /// Its value.
    pub value: Expr,
    /// Whether it may be absent.
    pub optional: bool,
}

/// A macro that goes through a list or a map.
#[derive(Clone, Debug)]
pub struct Fold {
    /// Which.
    pub kind: FoldKind,
    /// What it goes through.
    pub range: Expr,
    /// The names of what it looks at: elements, or indices and elements; keys, or keys and values.
    pub variables: Vec<Arc<str>>,
    /// What an element must be to count, if only some do.
    pub filter: Option<Expr>,
    /// What becomes of each.
    pub step: Expr,
}

/// What a macro makes of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldKind {
    /// Whether something holds of all.
    All,
    /// Whether it holds of any.
    Exists,
    /// Whether it holds of one alone.
    ExistsOne,
    /// Those of which it holds.
    Filter,
    /// A list of what becomes of them (`map`, `transformList`).
    Map,
    /// A map with the same keys (`transformMap`).
    TransformMap,
    /// A map with keys of its own (`transformMapEntry`).
    TransformMapEntry,
}

/// Operators by the names that declarations have for them.
pub mod operator {
    /// `a ? b : c`
    pub const CONDITIONAL: &str = "_?_:_";
    /// `a && b`
    pub const AND: &str = "_&&_";
    /// `a || b`
    pub const OR: &str = "_||_";
    /// `!a`
    pub const NOT: &str = "!_";
    /// `-a`
    pub const NEGATE: &str = "-_";
    /// `a[b]`
    pub const INDEX: &str = "_[_]";
    /// `a[?b]`
    pub const OPTIONAL_INDEX: &str = "_[?_]";
    /// `a in b`
    pub const IN: &str = "@in";
}
