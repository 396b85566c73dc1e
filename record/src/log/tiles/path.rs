//! Where a tile stands (<https://c2sp.org/tlog-tiles#merkle-tree>).

use std::fmt;

use super::WIDTH;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Hashes of subtrees of `256^level` leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One file of a published log. It displays as its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) kind: Kind,
    pub(super) index: u64,
    /// From 1 to [`WIDTH`].
    pub(super) width: u16,
}

impl Tile {
    /// The same place, once all of it is there.
    pub(super) const fn full(self) -> Self {
        Self {
            width: WIDTH,
            ..self
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The directory of the partial tiles of this place.
    pub(super) fn partials(&self) -> String {
        format!("{}.p", self.full())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let entries = |index, width| Tile {
            kind: Kind::Entries,
            index,
            width,
        };
        assert_eq!(entries(0, 256).to_string(), "tile/entries/000");
        assert_eq!(entries(999, 1).to_string(), "tile/entries/999.p/1");
        assert_eq!(entries(1000, 256).to_string(), "tile/entries/x001/000");
        assert_eq!(
            entries(1_234_067, 5).partials(),
            "tile/entries/x001/x234/067.p"
        );
        let hashes = Tile {
            kind: Kind::Hashes(2),
            index: 1_234_067,
            width: 255,
        };
        assert_eq!(hashes.to_string(), "tile/2/x001/x234/067.p/255");
    }
}
