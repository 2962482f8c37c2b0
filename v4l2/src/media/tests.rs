//! Graphs of real drivers, described from their sources, and what is planned on them.

mod fixture;
mod rockchip;
mod ti;
mod vimc;
