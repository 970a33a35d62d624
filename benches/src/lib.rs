//! Catamaran beside its peers, in one run: the drivers alone, both pools as people use them, and other libraries.
//!
//! There is no benchmark yet. This package is where they and the peers' dependencies live, so that the library and its
//! tests depend on none of them; it is therefore no default member of the workspace.
