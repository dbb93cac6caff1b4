import pytest

NODES = """id,age,colour,label,split
a,1,red,x,train
b,2,blue,y,val
c,3,red,x,test
d,4,blue,y,train
"""
EDGES = """source,target,weight
a,b,1
b,c,2
c,d,3
"""


@pytest.fixture
def folder(tmp_path):
    """Folder with a table of nodes and a table of edges."""
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "edges.csv").write_text(EDGES)
    return tmp_path
