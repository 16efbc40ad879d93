//! A writer that fills its buffer from the end, so that a message's length is known when it is written.

#[derive(Default)]
pub(super) struct Writer {
    buffer: Vec<u8>,
    /// Where what has been written begins.
    start: usize,
}

impl Writer {
    fn room(&mut self, wanted: usize) -> &mut [u8] {
        if self.start < wanted {
            let used = self.buffer.len() - self.start;
            let size = (self.buffer.len() * 2).max(used + wanted).max(256);
            let mut larger = vec![0; size];
            larger[size - used..].copy_from_slice(&self.buffer[self.start..]);
            self.buffer = larger;
            self.start = size - used;
        }
        self.start -= wanted;
        &mut self.buffer[self.start..self.start + wanted]
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// The length of what has been written before.
    pub(super) fn length(&mut self, value: u64) {
        self.varint(value);
    }

    /// The key of a field with a length.
    pub(super) fn tag(&mut self, number: u32) {
        self.key(number, 2);
    }

    fn varint(&mut self, mut value: u64) {
        let mut bytes = [0u8; 10];
        let mut length = 0;
        loop {
            bytes[length] = (value as u8 & 0x7f) | if value > 0x7f { 0x80 } else { 0 };
            length += 1;
            value >>= 7;
            if value == 0 {
                break;
            }
        }
        self.raw(&bytes[..length]);
    }

    fn key(&mut self, number: u32, wire: u32) {
        self.varint(u64::from(number << 3 | wire));
    }

    /// A field of an integer or a boolean.
    pub(super) fn integer(&mut self, number: u32, value: i64) {
        self.varint(value as u64);
        self.key(number, 0);
    }

    /// A field of a double.
    pub(super) fn double(&mut self, number: u32, value: f64) {
        self.raw(&value.to_le_bytes());
        self.key(number, 1);
    }

    /// A field of text or bytes.
    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw(bytes);
        self.varint(bytes.len() as u64);
        self.key(number, 2);
    }

    /// A field of a message, whose own fields `body` writes last one first.
    pub(super) fn message(&mut self, number: u32, body: impl FnOnce(&mut Writer)) {
        let before = self.written();
        body(self);
        self.varint((self.written() - before) as u64);
        self.key(number, 2);
    }

    fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }
}
