"""Reading papers: pages, passages, retrieval, related work, what a paper says, and ideas that follow from it."""
