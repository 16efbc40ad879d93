//! Tables of what the plugins change and refuse.
