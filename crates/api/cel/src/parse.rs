//! Tokens to a tree. Macros are recognised here, by name and number of arguments, as cel-go's parser does.

mod macros;

use std::sync::Arc;

use crate::error::{Fault, fault};
use crate::lex::{Kind, Token, tokens};
use crate::limits::{DEPTH, LENGTH};
use crate::syntax::{Entry, Expr, Node, operator};
use crate::value::Value;

/// Words that are no names (CEL's specification, "reserved").
pub(crate) const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Binary operators, how tightly they bind, and their names.
const BINARY: [(&str, u8, &str); 14] = [
    ("||", 0, operator::OR),
    ("&&", 1, operator::AND),
    ("==", 2, "_==_"),
    ("!=", 2, "_!=_"),
    ("<=", 2, "_<=_"),
    (">=", 2, "_>=_"),
    ("<", 2, "_<_"),
    (">", 2, "_>_"),
    ("in", 2, operator::IN),
    ("+", 3, "_+_"),
    ("-", 3, "_-_"),
    ("*", 4, "_*_"),
    ("/", 4, "_/_"),
    ("%", 4, "_%_"),
];

/// Whether a text can be the name of a variable.
pub fn is_identifier(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    begins && legal && !RESERVED.contains(&text) && !["true", "false", "null", "in"].contains(&text)
}

/// Parses an expression.
pub fn parse(text: &str) -> Result<Expr, Fault> {
    if text.chars().count() > LENGTH {
        return Err(fault(
            0,
            format!(
                "expression code point size exceeds limit: size: {}, limit {LENGTH}",
                text.chars().count()
            ),
        ));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Kind::End => Ok(expr),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Kind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn take(&mut self) -> Kind {
        let kind = self.tokens[self.next].kind.clone();
        // The end is never passed.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        kind
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Kind::Mark(found) if *found == mark)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let found = self.is(mark);
        if found {
            self.take();
        }
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), Fault> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Fault {
        let found = match self.peek() {
            Kind::End => "<EOF>".to_owned(),
            Kind::Ident(word) | Kind::Quoted(word) => word.to_string(),
            Kind::Mark(mark) => (*mark).to_owned(),
            Kind::Int(digits) | Kind::Uint(digits) => digits.clone(),
            Kind::Double(value) => value.to_string(),
            Kind::String(text) => format!("{text:?}"),
            Kind::Bytes(_) => "bytes".to_owned(),
        };
        fault(self.at(), format!("Syntax error: mismatched input '{found}' expecting an expression"))
    }

    /// `a ? b : c`, and everything that binds more tightly.
    fn expr(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(fault(self.at(), format!("expression recursion limit exceeded: {DEPTH}")));
        }
        let condition = self.binary(0)?;
        let at = self.at();
        let expr = if self.accept("?") {
            let then = self.binary(0)?;
            self.expect(":")?;
            let otherwise = self.expr()?;
            call(at, operator::CONDITIONAL, vec![condition, then, otherwise])
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Result<Expr, Fault> {
        let mut left = self.unary()?;
        loop {
            let word = match self.peek() {
                Kind::Mark(mark) => *mark,
                Kind::Ident(word) if &**word == "in" => "in",
                _ => return Ok(left),
            };
            let found = BINARY.iter().find(|(mark, binds, _)| *mark == word && *binds >= least);
            let Some((_, binds, name)) = found else { return Ok(left) };
            let at = self.at();
            self.take();
            let right = self.binary(binds + 1)?;
            left = shallow(joined(at, name, left, right))?;
        }
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        let (at, mark) = (self.at(), ["!", "-"].into_iter().find(|mark| self.is(mark)));
        let Some(mark) = mark else { return self.member() };
        let mut count = 0;
        while self.accept(mark) {
            count += 1;
        }
        // The smallest integer has no positive counterpart.
        if mark == "-"
            && count % 2 == 1
            && let Kind::Int(digits) = self.peek()
        {
            let literal =
                Node::Literal(Value::Int(integer(&format!("-{digits}")).map_err(|what| fault(at, what))?));
            self.take();
            return self.members(Expr::new(at, literal));
        }
        let operand = self.member()?;
        if count % 2 == 0 {
            return Ok(operand);
        }
        let name = if mark == "!" { operator::NOT } else { operator::NEGATE };
        Ok(call(at, name, vec![operand]))
    }

    fn member(&mut self) -> Result<Expr, Fault> {
        let primary = self.primary()?;
        self.members(primary)
    }

    /// Fields, calls and indices behind an expression.
    fn members(&mut self, mut expr: Expr) -> Result<Expr, Fault> {
        loop {
            expr = shallow(expr)?;
            let at = self.at();
            if self.accept(".") {
                let optional = self.accept("?");
                let field = self.field()?;
                if !optional && self.is("(") {
                    let arguments = self.arguments()?;
                    expr = self.call_member(at, expr, field, arguments)?;
                } else {
                    expr = Expr::new(at, Node::Select { operand: Box::new(expr), field, optional });
                }
            } else if self.accept("[?") {
                let index = self.expr()?;
                self.expect("]")?;
                expr = call(at, operator::OPTIONAL_INDEX, vec![expr, index]);
            } else if self.accept("[") {
                let index = self.expr()?;
                self.expect("]")?;
                expr = call(at, operator::INDEX, vec![expr, index]);
            } else if self.is("{")
                && let Some(name) = type_name(&expr)
            {
                expr = self.message(at, &name)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn field(&mut self) -> Result<Arc<str>, Fault> {
        match self.take() {
            Kind::Ident(word) | Kind::Quoted(word) => Ok(word),
            _ => {
                self.next -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Fault> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.is(")") {
            arguments.push(self.expr()?);
            if !self.accept(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let at = self.at();
        let literal = |value| Ok(Expr::new(at, Node::Literal(value)));
        match self.take() {
            Kind::Int(digits) => literal(Value::Int(integer(&digits).map_err(|what| fault(at, what))?)),
            Kind::Uint(digits) => literal(Value::Uint(unsigned(&digits).map_err(|what| fault(at, what))?)),
            Kind::Double(value) => literal(Value::Double(value)),
            Kind::String(text) => literal(Value::String(text.into())),
            Kind::Bytes(bytes) => literal(Value::Bytes(bytes.into())),
            Kind::Ident(word) => match &*word {
                "true" => literal(Value::Bool(true)),
                "false" => literal(Value::Bool(false)),
                "null" => literal(Value::Null),
                _ if RESERVED.contains(&&*word) => Err(fault(at, format!("reserved identifier: {word}"))),
                _ => self.name(at, word),
            },
            Kind::Mark(".") => {
                // A leading dot names what is at the root, where all of ours are.
                let word = self.field()?;
                self.name(at, word)
            }
            Kind::Mark("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Mark("[") => self.list(at),
            // Lexed as one token: a list whose first element may be absent.
            Kind::Mark("[?") => self.list_from(at, true),
            Kind::Mark("{") => {
                let entries = self.entries(false)?;
                Ok(Expr::new(at, Node::Map(entries)))
            }
            _ => {
                self.next = self.tokens.iter().position(|token| token.at == at).unwrap_or(self.next);
                Err(self.unexpected())
            }
        }
    }

    fn name(&mut self, at: usize, word: Arc<str>) -> Result<Expr, Fault> {
        if self.is("(") {
            let arguments = self.arguments()?;
            return self.call_global(at, word, arguments);
        }
        Ok(Expr::new(at, Node::Ident(word)))
    }

    fn list(&mut self, at: usize) -> Result<Expr, Fault> {
        let optional = self.accept("?");
        self.list_from(at, optional)
    }

    fn list_from(&mut self, at: usize, mut optional: bool) -> Result<Expr, Fault> {
        let mut elements = Vec::new();
        while !self.is("]") {
            elements.push((self.expr()?, optional));
            if !self.accept(",") {
                break;
            }
            optional = self.accept("?");
        }
        self.expect("]")?;
        Ok(Expr::new(at, Node::List(elements)))
    }

    /// The entries of a map or the fields of a message, after its bracket.
    fn entries(&mut self, message: bool) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        while !self.is("}") {
            let optional = self.accept("?");
            let key = if message {
                let field = self.field()?;
                // What is wrong with a field is said of its colon, as cel-go has it.
                Expr::new(self.at(), Node::Literal(Value::String(field)))
            } else {
                self.expr()?
            };
            self.expect(":")?;
            let value = self.expr()?;
            entries.push(Entry { key, value, optional });
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(entries)
    }

    fn message(&mut self, at: usize, name: &str) -> Result<Expr, Fault> {
        self.expect("{")?;
        let fields = self.entries(true)?;
        Ok(Expr::new(at, Node::Message { name: name.into(), fields }))
    }
}

/// An expression that is not too deep to walk through.
fn shallow(expr: Expr) -> Result<Expr, Fault> {
    if expr.depth > DEPTH {
        return Err(fault(expr.at, format!("expression recursion limit exceeded: {DEPTH}")));
    }
    Ok(expr)
}

/// An operator's call. All terms of a chain of `&&` or `||` are in one, so that long ones are not deep.
fn joined(at: usize, name: &str, left: Expr, right: Expr) -> Expr {
    match left.node {
        Node::Call { function, target: None, mut arguments }
            if &*function == name && matches!(name, operator::AND | operator::OR) =>
        {
            arguments.push(right);
            call(left.at, name, arguments)
        }
        node => call(at, name, vec![Expr { node, ..left }, right]),
    }
}

/// A call of a global function or an operator.
pub(crate) fn call(at: usize, function: &str, arguments: Vec<Expr>) -> Expr {
    Expr::new(at, Node::Call { function: function.into(), target: None, arguments })
}

/// The dotted name that an expression is, if it is nothing else.
pub(crate) fn type_name(expr: &Expr) -> Option<String> {
    match &expr.node {
        Node::Ident(word) => Some(word.to_string()),
        Node::Select { operand, field, optional: false } => Some(format!("{}.{field}", type_name(operand)?)),
        _ => None,
    }
}

fn integer(digits: &str) -> Result<i64, &'static str> {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let parsed = match rest.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| "invalid int literal")
}

fn unsigned(digits: &str) -> Result<u64, &'static str> {
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| "invalid uint literal")
}
