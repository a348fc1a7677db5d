"""What tests share: strategies, toys, tables of questions, damage."""
