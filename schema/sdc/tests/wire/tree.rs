//! DER as a tree of elements, which tests change.

use sdc::der::{self, Reader, Tag};

/// One element. A constructed element has children; a primitive element has content.
#[derive(Clone, Debug)]
pub struct Node {
    pub tag: Tag,
    pub content: Vec<u8>,
    pub children: Vec<Node>,
}

impl Node {
    pub fn primitive(tag: Tag, content: &[u8]) -> Node {
        assert_eq!(tag & 0x20, 0);
        Node { tag, content: content.to_vec(), children: Vec::new() }
    }

    pub fn constructed(tag: Tag, children: Vec<Node>) -> Node {
        assert_eq!(tag & 0x20, 0x20);
        Node { tag, content: Vec::new(), children }
    }

    pub fn parse(bytes: &[u8]) -> Node {
        let mut nodes = Node::parse_all(bytes);
        assert_eq!(nodes.len(), 1);
        nodes.remove(0)
    }

    fn parse_all(bytes: &[u8]) -> Vec<Node> {
        let mut reader = Reader::new(bytes);
        let mut nodes = Vec::new();
        while !reader.is_empty() {
            let element = reader.element().unwrap();
            nodes.push(if element.tag & 0x20 == 0 {
                Node::primitive(element.tag, element.content)
            } else {
                Node::constructed(element.tag, Node::parse_all(element.content))
            });
        }
        nodes
    }

    pub fn der(&self) -> Vec<u8> {
        let children: Vec<Vec<u8>> = self.children.iter().map(Node::der).collect();
        let mut contents: Vec<&[u8]> = vec![&self.content];
        contents.extend(children.iter().map(Vec::as_slice));
        der::write(self.tag, &contents)
    }

    /// Returns the node at a path; each number of the path selects a child.
    pub fn at(&mut self, path: &[usize]) -> &mut Node {
        path.iter().fold(self, |node, child| &mut node.children[*child])
    }

    /// Returns the paths of all nodes; the root's path is the first.
    pub fn paths(&self) -> Vec<Vec<usize>> {
        let mut paths = vec![Vec::new()];
        for (index, child) in self.children.iter().enumerate() {
            paths.extend(child.paths().into_iter().map(|below| [&[index], below.as_slice()].concat()));
        }
        paths
    }
}
