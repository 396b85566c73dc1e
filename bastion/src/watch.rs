//! Looking on while a session runs.
//!
//! * [`stage`]: what a session shows; its relay hands over what it has recorded, and waits for nobody.
//! * [`follow`]: keeps a stage's screen up to date, on a task of its own and at a bounded rate.
//! * [`view`]: the screen, drawn into cells for somebody who looks on.
//! * [`paper`]: cells to the bytes of a terminal.
//! * [`seat`]: one who looks on, until the session ends or they leave.

mod follow;
pub(crate) mod paper;
pub(crate) mod seat;
mod stage;
mod view;

pub(crate) use follow::follow;
pub(crate) use stage::Stage;
