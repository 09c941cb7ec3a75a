"""The sample business app: resumes, and the job that archives them."""
