//! Where the operations are: a router that also remembers its paths, so that a test can hold them to the document.

use axum::Router;
use axum::routing::MethodRouter;

use super::App;

/// Paths and what answers there.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<App>,
    paths: Vec<&'static str>,
}

impl Routes {
    /// The same with one more path.
    #[must_use]
    pub fn route(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.paths.push(path);
        self.router = self.router.route(path, methods);
        self
    }

    /// Every path, in the document's notation.
    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    /// What serves them.
    pub fn router(self) -> Router<App> {
        self.router
    }
}
