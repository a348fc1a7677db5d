"""Environments without torch, and replay of what was experienced in them.

    source = ReplaySource(environment, policy, ReplayConfig(capacity=10_000))
    train(model, source, None, recipe, "runs/agent")

`environment.Environment` is the protocol, `replay.ReplayBuffer` the memory, `replay.ReplaySource` what a training run
draws its batches from.
"""
