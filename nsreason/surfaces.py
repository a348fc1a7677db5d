def show(p): return str(p.calls)
def show_node(p,n): return str(p.calls[n])
