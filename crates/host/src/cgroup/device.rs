//! Which devices the processes of a group may make and open. Everything that no rule allows is denied.

/// Block or character device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// Both kinds.
    Any,
    /// Block devices.
    Block,
    /// Character devices.
    Character,
}

/// What may be done with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Read from it.
    pub read: bool,
    /// Write to it.
    pub write: bool,
    /// Make its node.
    pub make: bool,
}

impl Access {
    /// Everything.
    pub const ALL: Access = Access { read: true, write: true, make: true };
    /// Only making the node, which gives no access by itself.
    pub const MAKE: Access = Access { read: false, write: false, make: true };

    /// Reads the letters `r`, `w` and `m`, as a pod's device permissions have them; `None` for any other letter.
    pub fn parse(letters: &str) -> Option<Access> {
        let mut access = Access { read: false, write: false, make: false };
        for letter in letters.chars() {
            match letter {
                'r' => access.read = true,
                'w' => access.write = true,
                'm' => access.make = true,
                _ => return None,
            }
        }
        Some(access)
    }

    pub(super) fn letters(self) -> String {
        [(self.read, 'r'), (self.write, 'w'), (self.make, 'm')]
            .into_iter()
            .filter_map(|(allowed, letter)| allowed.then_some(letter))
            .collect()
    }
}

/// One allowed device, or a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// Which kind.
    pub kind: DeviceKind,
    /// The major number; every one when absent.
    pub major: Option<u32>,
    /// The minor number; every one when absent.
    pub minor: Option<u32>,
    /// What may be done.
    pub access: Access,
}

impl DeviceRule {
    /// Every access to every device, as a privileged container has it.
    pub const EVERYTHING: DeviceRule =
        DeviceRule { kind: DeviceKind::Any, major: None, minor: None, access: Access::ALL };

    /// Every access to one character device, or to a whole major number.
    pub const fn character(major: u32, minor: Option<u32>) -> DeviceRule {
        DeviceRule { kind: DeviceKind::Character, major: Some(major), minor, access: Access::ALL }
    }

    /// What every container has: making nodes, and /dev/null, zero, full, random, urandom, tty, ptmx and terminals.
    pub const DEFAULT: &'static [DeviceRule] = &[
        DeviceRule { kind: DeviceKind::Character, major: None, minor: None, access: Access::MAKE },
        DeviceRule { kind: DeviceKind::Block, major: None, minor: None, access: Access::MAKE },
        DeviceRule::character(1, Some(3)),
        DeviceRule::character(1, Some(5)),
        DeviceRule::character(1, Some(7)),
        DeviceRule::character(1, Some(8)),
        DeviceRule::character(1, Some(9)),
        DeviceRule::character(5, Some(0)),
        DeviceRule::character(5, Some(1)),
        DeviceRule::character(5, Some(2)),
        DeviceRule::character(136, None),
    ];

    /// The rule as a line of version 1's `devices.allow`.
    pub(super) fn line(self) -> String {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        match self.kind {
            DeviceKind::Any => "a".to_owned(),
            DeviceKind::Block => {
                format!("b {}:{} {}", number(self.major), number(self.minor), self.access.letters())
            }
            DeviceKind::Character => {
                format!("c {}:{} {}", number(self.major), number(self.minor), self.access.letters())
            }
        }
    }
}
