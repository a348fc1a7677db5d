"""The neuro-symbolic concept learner."""
