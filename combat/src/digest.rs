//! STUB until the engine is on main.
